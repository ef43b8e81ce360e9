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
	show := func(page []renga.App) ([]app, error) { return s.showApps(r.Context(), page) }
	return listAs(w, r, seenBy(caller(r).ID, all), show,
		by("id", func(a renga.App) string { return string(a.ID) }),
		by("name", func(a renga.App) string { return a.Name }),
		byTime("updated_at", func(a renga.App) (time.Time, string) { return a.UpdatedAt, string(a.ID) }))
}

// seenBy are the account's own apps and those shared with it.
func seenBy(who renga.AccountID, all []renga.App) []renga.App {
	var seen []renga.App
	for _, a := range all {
		if !a.Deleting && a.Permit(who, renga.MayView) == nil {
			seen = append(seen, a)
		}
	}
	return seen
}

// showApps completes a page of apps. Each needs a look at its newest release,
// some at a time.
func (s *Server) showApps(ctx context.Context, page []renga.App) ([]app, error) {
	known := s.people()
	wire := make([]app, len(page))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, a := range page {
		g.Go(func() (err error) {
			wire[i], err = s.showApp(ctx, a, known)
			return err
		})
	}
	return wire, g.Wait()
}
