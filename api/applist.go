package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
)

func (s *Server) listApps(w http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	sp, err := parseRange(r.Header.Get("Range"), "id", "name", "updated_at")
	if err != nil {
		return err
	}
	all, err := s.parts.Apps.Apps(r.Context())
	if err != nil {
		return err
	}
	col := appColumn(sp.field)
	page, more, err := cut(ownedBy(caller(r).ID, all), sp, col)
	if err != nil {
		return err
	}
	wire, err := s.showApps(r.Context(), page, personOf(caller(r)))
	if err != nil {
		return err
	}
	var first, last string
	if len(page) > 0 {
		first, last = col.key(page[0]), col.key(page[len(page)-1])
	}
	return replyPage(w, wire, sp, first, last, more, "id", "name", "updated_at")
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

func appColumn(field string) column[renga.App] {
	switch field {
	case "name":
		return column[renga.App]{key: func(a renga.App) string { return a.Name }}
	case "updated_at":
		return column[renga.App]{
			key:   func(a renga.App) string { return timeKey(a.UpdatedAt) + "/" + string(a.ID) },
			bound: timeBound,
		}
	default:
		return column[renga.App]{key: func(a renga.App) string { return string(a.ID) }}
	}
}

// timeKey is a time that compares as a string. Ids behind it tell apart what
// was changed at the same time.
func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// timeBound reads a time as clients write it, or a key as Next-Range gives it.
func timeBound(value string, above bool) (string, error) {
	text, id, exact := strings.Cut(value, "/")
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return "", badRequest("Invalid Range header: %q is no time like 2006-01-02T15:04:05Z.", clip(text))
	case exact:
		return timeKey(t) + "/" + id, nil
	case above && t.Nanosecond() == 0:
		t = t.Add(time.Second - time.Nanosecond)
	}
	if above {
		return timeKey(t) + "/~", nil // behind every id
	}
	return timeKey(t), nil
}
