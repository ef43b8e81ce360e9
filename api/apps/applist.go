package apps

import (
	"context"
	"net/http"
	"slices"
	"time"

	"renga"
	"renga/api/wire"
)

func (s *Server) listApps(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	sp, err := wire.ParseRange(r.Header.Get("Range"), "id", "name", "updated_at")
	if err != nil {
		return err
	}
	apps, err := s.appsFor(r, sp)
	if err != nil {
		return err
	}
	show := func(page []renga.App) ([]app, error) { return s.showApps(r.Context(), page) }
	return wire.ListAs(w, r, apps, show,
		wire.By("id", func(a renga.App) string { return string(a.ID) }),
		wire.By("name", func(a renga.App) string { return a.Name }),
		wire.ByTime("updated_at", func(a renga.App) (time.Time, string) { return a.UpdatedAt, string(a.ID) }))
}

// appsFor gives the apps that the caller may see, at least those that the page
// needs. In the default order, by id, it reads no more apps than fill the page.
func (s *Server) appsFor(r *http.Request, sp wire.Span) ([]renga.App, error) {
	ids, err := s.Apps.AppIDs(r.Context())
	if err != nil {
		return nil, err
	}
	if sp.Field != "id" {
		return s.SeenOf(r, ids)
	}
	enough := sp.Max
	sp.Max = len(ids)
	ids, _, err = wire.Cut(ids, sp, wire.By("id", func(id renga.AppID) string { return string(id) }))
	if err != nil {
		return nil, err
	}
	var seen []renga.App
	for some := range slices.Chunk(ids, max(enough+1, wire.DefaultPage)) {
		apps, err := s.SeenOf(r, some)
		if err != nil {
			return nil, err
		}
		if seen = append(seen, apps...); len(seen) > enough {
			break
		}
	}
	return seen, nil
}

// showApps makes JSON of apps, and reads the newest releases of all of them at
// once.
func (s *Server) showApps(ctx context.Context, page []renga.App) ([]app, error) {
	ids := make([]renga.AppID, len(page))
	for i, a := range page {
		ids[i] = a.ID
	}
	newest, err := s.Releases.Newest(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown, known := make([]app, len(page)), s.People()
	for i, a := range page {
		owner, err := known.Find(ctx, a.Owner)
		if err != nil {
			return nil, err
		}
		var rec *renga.ReleaseRecord // nil for an app that was deleted meanwhile
		if r, ok := newest[a.ID]; ok {
			rec = &r
		}
		shown[i] = newApp(a, owner, rec, s.Settings)
	}
	return shown, nil
}
