package api

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
)

func (s *Server) listApps(w http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	all, err := s.parts.Apps.Apps(r.Context())
	if err != nil {
		return err
	}
	show := func(page []renga.App) ([]app, error) { return s.showApps(r.Context(), page, personOf(caller(r))) }
	return listAs(w, r, ownedBy(caller(r).ID, all), show,
		by("id", func(a renga.App) string { return string(a.ID) }),
		by("name", func(a renga.App) string { return a.Name }),
		byTime("updated_at", func(a renga.App) (time.Time, string) { return a.UpdatedAt, string(a.ID) }))
}

func ownedBy(owner renga.AccountID, all []renga.App) []renga.App {
	var own []renga.App
	for _, a := range all {
		if a.Owner == owner && !a.Deleting {
			own = append(own, a)
		}
	}
	return own
}

// showApps completes a page of apps. Each needs a look at its newest release,
// some at a time.
func (s *Server) showApps(ctx context.Context, page []renga.App, owner person) ([]app, error) {
	wire := make([]app, len(page))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, a := range page {
		g.Go(func() (err error) {
			wire[i], err = s.showApp(ctx, a, owner)
			return err
		})
	}
	return wire, g.Wait()
}
