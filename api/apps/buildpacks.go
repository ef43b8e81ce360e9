package apps

import (
	"net/http"
	"slices"

	"renga"
	"renga/api/wire"
)

func (s *Server) buildpackRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/buildpack-installations", wire.Looking, s.listBuildpacks),
		wire.Put("/apps/{app}/buildpack-installations", wire.Operating, s.setBuildpacks),
		// The CLI asks a registry of buildpacks without a token.
		wire.Get("/buildpacks/{buildpack:.+}", wire.Open, wire.NoEndpoint),
	}
}

// buildpackInstallation is a buildpack of an app as JSON.
type buildpackInstallation struct {
	Buildpack buildpack `json:"buildpack"`
	Ordinal   int       `json:"ordinal"`
}

type buildpack struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// maxBuildpacks is how many buildpacks an app may have.
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
	return wire.List(w, r, newBuildpacks(a),
		wire.ByNumber("ordinal", func(b buildpackInstallation) (int, string) { return b.Ordinal, "" }))
}

// setBuildpacks replaces the list, which the next build from source goes by.
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
		return wire.OrNotFound(err, "app")
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
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	if body.Updates == nil || len(body.Updates) > maxBuildpacks {
		return nil, wire.Invalid("Field \"updates\" must list up to %d buildpacks.", maxBuildpacks)
	}
	var names []string
	for _, u := range body.Updates {
		if u.Buildpack == "" || len(u.Buildpack) > 2048 || slices.Contains(names, u.Buildpack) {
			return nil, wire.Invalid("Each buildpack must have a name or a URL, and be listed once.")
		}
		names = append(names, u.Buildpack)
	}
	return names, nil
}
