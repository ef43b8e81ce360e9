package api

import (
	"net/http"
	"slices"

	"renga"
)

func (s *Server) buildpackRoutes() []Route {
	return []Route{
		Get("/apps/{app}/buildpack-installations", Looking, s.listBuildpacks),
		Put("/apps/{app}/buildpack-installations", Operating, s.setBuildpacks),
		// Images come built, so that there are no builds to list.
		Get("/apps/{app}/builds", Looking, s.listNoneOfApp),
	}
}

// buildpackInstallation is a buildpack of an app on the wire.
type buildpackInstallation struct {
	Buildpack buildpack `json:"buildpack"`
	Ordinal   int       `json:"ordinal"`
}

type buildpack struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// maxBuildpacks bounds what one app may name.
const maxBuildpacks = 50

func newBuildpacks(a renga.App) []buildpackInstallation {
	all := make([]buildpackInstallation, 0, len(a.Buildpacks))
	for n, name := range a.Buildpacks {
		all = append(all, buildpackInstallation{Buildpack: buildpack{Name: name, URL: name}, Ordinal: n})
	}
	return all
}

func (s *Server) listBuildpacks(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	return listBuildpacksOf(w, r, a)
}

func listBuildpacksOf(w http.ResponseWriter, r *http.Request, a renga.App) error {
	return list(w, r, newBuildpacks(a),
		byNumber("ordinal", func(b buildpackInstallation) (int, string) { return b.Ordinal, "" }))
}

// setBuildpacks replaces the list. Nothing is built by it: the names are kept
// for whoever builds the app from its source.
func (s *Server) setBuildpacks(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	names, err := decodeBuildpacks(r)
	if err != nil {
		return err
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		a.Buildpacks = names
		return nil
	})
	if err != nil {
		return orNotFound(err, "app")
	}
	s.Audit(r, "buildpacks set", a.Name, "buildpacks", len(names))
	return listBuildpacksOf(w, r, a)
}

func decodeBuildpacks(r *http.Request) ([]string, error) {
	var body struct {
		Updates []struct {
			Buildpack string `json:"buildpack"`
		} `json:"updates"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if body.Updates == nil || len(body.Updates) > maxBuildpacks {
		return nil, invalid("Field \"updates\" must list up to %d buildpacks.", maxBuildpacks)
	}
	var names []string
	for _, u := range body.Updates {
		if u.Buildpack == "" || len(u.Buildpack) > 2048 || slices.Contains(names, u.Buildpack) {
			return nil, invalid("Each buildpack must have a name or a URL, and be listed once.")
		}
		names = append(names, u.Buildpack)
	}
	return names, nil
}
