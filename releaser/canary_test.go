package releaser_test

import (
	"testing"
	"time"

	"renga"
)

// TestWhichReleasesAreCanaries: those that bring code have the app's canary, any
// has the one that it is asked for with, and all others take over at once.
func TestWhichReleasesAreCanaries(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.records[id][1].Outcome.Status = renga.Succeeded
	app := w.apps[id]
	app.Canary = renga.Canary{Percent: 10, For: time.Minute}
	w.apps[id] = app
	half := renga.Canary{Percent: 50, For: time.Hour}
	asked := only(stored("web", "sha256:dd"))
	asked.Canary = half
	for _, c := range []struct {
		what string
		do   func() error
		want renga.Canary
	}{
		{"a push", func() error { return r.Push(t.Context(), push("p2", "hello", "sha256:bb")) }, app.Canary},
		{
			"a deploy", func() error { _, err := r.Deploy(t.Context(), id, only(stored("web", "sha256:cc")), "me"); return err },
			app.Canary,
		},
		{"a deploy that asks", func() error { _, err := r.Deploy(t.Context(), id, asked, "me"); return err }, half},
		{
			"a change of config vars", func() error { _, err := r.Change(t.Context(), id, setVar("A", "b")); return err },
			renga.Canary{},
		},
		{"a rollback", func() error {
			_, err := r.Rollback(t.Context(), id, 2, renga.RollbackAll, renga.Canary{}, "me")
			return err
		}, renga.Canary{}},
		{"a rollback that asks", func() error {
			_, err := r.Rollback(t.Context(), id, 3, renga.RollbackAll, half,
				"me")
			return err
		}, half},
		{"again", func() error { _, err := r.Rerelease(t.Context(), id, "again", half, "me"); return err }, half},
	} {
		before := len(w.records[id])
		if err := c.do(); err != nil || len(w.records[id]) != before+1 {
			t.Fatalf("%s: %d releases, %v", c.what, len(w.records[id]), err)
		}
		if got := w.records[id][before].Canary; got != c.want {
			t.Errorf("%s is a canary of %+v, want %+v", c.what, got, c.want)
		}
		w.records[id][before].Outcome.Status = renga.Succeeded
	}
}
