package releaser_test

import (
	"context"
	"testing"

	"renga"
)

// untrusting lets no image of an app in, and remembers where they came from.
type untrusting struct {
	app  renga.AppID
	from []string
}

func (u *untrusting) CheckProvenance(_ context.Context, app, from renga.App, _ map[renga.ProcessType]renga.Image) error {
	if app.ID != u.app {
		return nil
	}
	u.from = append(u.from, from.Name)
	return renga.Errorf(renga.Forbidden, "no signature")
}

// TestImagesThatMayNotBecomeReleasesAreNoRelease in any way but back to one.
func TestImagesThatMayNotBecomeReleasesAreNoRelease(t *testing.T) {
	w, r, p := promotable(t)
	target := p.Targets[0].App
	w.records[target][1].Outcome.Status = renga.Succeeded
	u := &untrusting{app: target}
	r.Provenance = u
	before := len(w.records[target])
	if _, err := r.Deploy(t.Context(), target, only(stored("web", "sha256:dd")), "me"); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("a stored image: %v", err)
	}
	if _, err := r.Promote(t.Context(), p, p.Targets[0]); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("a promotion: %v", err)
	}
	if len(w.records[target]) != before || len(w.links) != 0 || len(u.from) != 2 || u.from[1] != "staging" {
		t.Errorf("%d releases, want %d; linked %q; asked about %q", len(w.records[target]), before, w.links, u.from)
	}
	if _, err := r.Rollback(t.Context(), target, 2, renga.RollbackAll, renga.Canary{}, "me"); err != nil {
		t.Errorf("back to a release: %v", err)
	}
}
