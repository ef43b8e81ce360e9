package api

import (
	"context"
	"net/http"
	"time"

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

// showApps completes apps, with one look at the newest releases of all.
func (s *Server) showApps(ctx context.Context, page []renga.App) ([]app, error) {
	ids := make([]renga.AppID, len(page))
	for i, a := range page {
		ids[i] = a.ID
	}
	newest, err := s.parts.Releases.Newest(ctx, ids)
	if err != nil {
		return nil, err
	}
	wire, known := make([]app, len(page)), s.people()
	for i, a := range page {
		owner, err := known.find(ctx, a.Owner)
		if err != nil {
			return nil, err
		}
		var rec *renga.ReleaseRecord // nil for an app that goes while we look
		if r, ok := newest[a.ID]; ok {
			rec = &r
		}
		wire[i] = newApp(a, owner, rec, s.options)
	}
	return wire, nil
}
