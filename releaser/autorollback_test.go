package releaser_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/releaser"
)

// brokenMemory keeps broken releases in memory.
type brokenMemory struct {
	mu     sync.Mutex
	noted  []renga.BrokenRelease
	failed error // what writing answers
}

func (w *brokenMemory) AddBrokenRelease(_ context.Context, b renga.BrokenRelease) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.noted = append(w.noted, b)
	}
	return w.failed
}

func (w *brokenMemory) BrokenReleases(context.Context) ([]renga.BrokenRelease, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.noted), nil
}

func (w *brokenMemory) RemoveBrokenRelease(_ context.Context, b renga.BrokenRelease) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted = slices.DeleteFunc(w.noted, func(old renga.BrokenRelease) bool { return old == b })
	return nil
}

func (w *brokenMemory) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.noted)
}

// rollBack runs an AutoRollback until the test's bubble is idle and then runs during.
func rollBack(t *testing.T, w *brokenMemory, r *releaser.Releaser, during func(*releaser.Reports)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	reports, ended := releaser.NewReports(w, time.Now), make(chan error)
	go func() { ended <- releaser.NewAutoRollback(reports, r).Run(ctx) }()
	synctest.Wait()
	during(reports)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// broken is a fixture with hello, whose v3 does not hold and whose v2 did.
func broken(t *testing.T) (*fixture, *releaser.Releaser, renga.AppID) {
	t.Helper()
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))
	w.records[id][1].Outcome.Status, w.records[id][2].Outcome.Status = renga.Succeeded, renga.Succeeded
	return w, r, id
}

func TestAReportedReleaseIsRolledBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, id := broken(t)
		noted := &brokenMemory{}
		rollBack(t, noted, r, func(reports *releaser.Reports) {
			for range 2 { // it is found again before the dynos of v4 are there
				if err := reports.Rescue(t.Context(), id, 3, "web.1 crashed"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		})
		if n := len(w.records[id]); n != 4 || noted.left() != 0 {
			t.Fatalf("%d releases, want 4; %d reports left", n, noted.left())
		}
		rec := w.records[id][3]
		if rec.Images["web"].Digest != "sha256:aa" ||
			!strings.Contains(rec.Description, "Rollback to v2: v3 did not hold: web.1 crashed") {
			t.Errorf("the release is %q with %s", rec.Description, rec.Images["web"].Digest)
		}
	})
}

func TestARollbackCutShortIsCarriedOnByTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, id := broken(t)
		noted := &brokenMemory{noted: []renga.BrokenRelease{{
			App: id, Version: 3, Reason: "web.1 crashed", FoundAt: time.Now(),
		}}}
		rollBack(t, noted, r, func(*releaser.Reports) {})
		if n := len(w.records[id]); n != 4 || noted.left() != 0 {
			t.Errorf("%d releases, want 4; %d reports left", n, noted.left())
		}
	})
}

func TestARollbackWaitsForWhatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, id := broken(t)
		w.commit = renga.Errorf(renga.Unavailable, "Redis is away.")
		noted := &brokenMemory{noted: []renga.BrokenRelease{{
			App: id, Version: 3, Reason: "web.1 crashed", FoundAt: time.Now(),
		}}}
		rollBack(t, noted, r, func(*releaser.Reports) {
			if n := len(w.records[id]); n != 3 || noted.left() != 1 {
				t.Errorf("meanwhile %d releases, want 3; %d reports left, want 1", n, noted.left())
			}
			w.mu.Lock()
			w.commit = nil
			w.mu.Unlock()
			time.Sleep(6 * time.Second)
			synctest.Wait()
		})
		if n := len(w.records[id]); n != 4 || noted.left() != 0 {
			t.Errorf("%d releases, want 4; %d reports left", n, noted.left())
		}
	})
}

func TestWhatCannotBeRolledBackIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, id := broken(t)
		w.commit = renga.Errorf(renga.Unavailable, "Redis is away.")
		noted := &brokenMemory{noted: []renga.BrokenRelease{
			{App: "gone", Version: 3, FoundAt: time.Now()},                 // an app that was deleted
			{App: id, Version: 3, FoundAt: time.Now().Add(-2 * time.Hour)}, // nobody expects it any more
		}}
		rollBack(t, noted, r, func(*releaser.Reports) {})
		if n := len(w.records[id]); n != 3 || noted.left() != 0 {
			t.Errorf("%d releases, want 3; %d reports left", n, noted.left())
		}
	})
}

func TestAReportThatIsNotWrittenIsAnError(t *testing.T) {
	reports := releaser.NewReports(&brokenMemory{failed: renga.Errorf(renga.Unavailable, "Redis is away.")}, time.Now)
	if err := reports.Rescue(t.Context(), "hello", 3, "web.1 crashed"); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("the dyno manager is told %v", err)
	}
}
