package apps

import (
	"net/http"
	"slices"
	"strings"

	"renga"
	"renga/api/wire"
)

func (s *Server) filterRoutes() []wire.Route {
	return []wire.Route{wire.Post("/filters/apps", wire.Reading, s.filterApps)}
}

// filterApps lists those apps of the given ids that the caller may see.
func (s *Server) filterApps(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		In struct {
			ID []string `json:"id"`
		} `json:"in"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	asked := map[renga.AppID]bool{}
	for _, id := range body.In.ID {
		asked[renga.AppID(strings.ToLower(id))] = true
	}
	ids, err := s.Apps.AppIDs(r.Context())
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id renga.AppID) bool { return !asked[id] })
	seen, err := s.SeenOf(r, ids)
	if err != nil {
		return err
	}
	return wire.ListAs(w, r, seen, func(page []renga.App) ([]teamApp, error) { return s.showTeamApps(r, page) },
		wire.By("id", func(a renga.App) string { return string(a.ID) }),
		wire.By("name", func(a renga.App) string { return a.Name }))
}

func (s *Server) showTeamApps(r *http.Request, page []renga.App) ([]teamApp, error) {
	apps, err := s.showApps(r.Context(), page)
	if err != nil {
		return nil, err
	}
	shown := make([]teamApp, 0, len(apps))
	for _, a := range apps {
		shown = append(shown, newTeamApp(a))
	}
	return shown, nil
}
