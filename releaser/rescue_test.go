package releaser_test

import (
	"strings"
	"testing"

	"renga"
)

func TestRescueGoesToTheLastGoodReleaseOnce(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa")) // v2
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))       // v3
	w.mustPush(t, r, push("p3", "hello", "sha256:cc"))       // v4
	for i := range w.records[id] {
		w.records[id][i].Outcome.Status = renga.Succeeded
	}
	w.records[id][2].Outcome.Status = renga.Failed
	for range 2 { // the second call finds that v4 is the newest no more
		if err := r.Rescue(t.Context(), id, 4, "web.1 crashed"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.records[id]); n != 5 {
		t.Fatalf("%d releases, want 5", n)
	}
	rec := w.records[id][4]
	if rec.By != renga.Platform || rec.Images["web"].Digest != "sha256:aa" ||
		!strings.Contains(rec.Description, "Rollback to v2: v4 did not hold: web.1 crashed") {
		t.Errorf("the release is %q by %s with %s", rec.Description, rec.By, rec.Images["web"].Digest)
	}
}

func TestRescueWithoutAGoodReleaseDoesNothing(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.records[id][1].Outcome.Status = renga.Succeeded
	if err := r.Rescue(t.Context(), id, 2, "web.1 crashed"); err != nil || len(w.records[id]) != 2 {
		t.Errorf("%d releases, %v", len(w.records[id]), err)
	}
}

func TestRescueIsForAppsThatWantIt(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa")) // v2
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))       // v3
	w.records[id][1].Outcome.Status, w.records[id][2].Outcome.Status = renga.Succeeded, renga.Succeeded
	app := w.apps[id]
	app.Features = map[string]bool{renga.RollbackOnCrash: false}
	w.apps[id] = app
	if err := r.Rescue(t.Context(), id, 3, "web.1 crashed"); err != nil || len(w.records[id]) != 3 {
		t.Errorf("%d releases, %v", len(w.records[id]), err)
	}
}
