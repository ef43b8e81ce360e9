package releaser_test

import (
	"testing"
	"time"

	"renga"
)

// TestAReleaseKeepsWhatDisksPromise: no canary beside a dyno that writes alone, and
// no two disks in one place.
func TestAReleaseKeepsWhatDisksPromise(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	half := renga.Canary{Percent: 50, For: time.Hour}
	disk := func(id renga.AddOnID, m renga.Mount) renga.Change {
		return renga.Change{Description: "Attach DISK", By: "me", Edit: func(in *renga.Inputs) error {
			in.Credentials[id] = renga.Credentials{Plan: "renga-disk:basic", Mounts: []renga.Mount{m}}
			return nil
		}}
	}
	own := renga.Mount{Volume: "v1", Path: "/data", Types: []renga.ProcessType{"web"}}
	rel, err := r.Change(t.Context(), id, disk("a1", own))
	if err != nil || len(rel.Record().Mounts) != 1 || !rel.Record().Mounts[0].Equal(own) {
		t.Fatalf("disks %v, %v", rel.Record().Mounts, err)
	}
	if _, err := r.Change(t.Context(), id, disk("a2", own)); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a second disk at the same path: %v", err)
	}
	if _, err := r.Rerelease(t.Context(), id, "", half, "me"); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a canary that was asked for: %v", err)
	}
	app := w.apps[id]
	app.Canary = half
	w.apps[id] = app
	if err := r.Push(t.Context(), push("p2", "hello", "sha256:bb")); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a push to an app with canaries: %v", err)
	}
	if got := len(w.records[id]); got != rel.Version {
		t.Errorf("%d releases; want %d", got, rel.Version)
	}
	if _, err := r.Change(t.Context(), id, setVar("A", "b")); err != nil {
		t.Errorf("a change that is no canary: %v", err)
	}
	own.Shared = true
	if _, err := r.Change(t.Context(), id, disk("a1", own)); err != nil {
		t.Fatal(err)
	}
	if err := r.Push(t.Context(), push("p2", "hello", "sha256:bb")); err != nil {
		t.Errorf("a canary with a shared disk: %v", err)
	}
}
