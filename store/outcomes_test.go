package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/store"
)

func TestAPendingReleaseIsCanceled(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	hook(t, s, a.ID, renga.ReleaseEvent)
	commit(t, s, a.ID, 2)
	check(t, s.CancelRelease(t.Context(), a.ID, 2, "Canceled by ada@example.com"))
	r, err := s.Release(t.Context(), a.ID, 2)
	check(t, err)
	if o := r.Outcome; o.Status != renga.Failed || o.Reason != "Canceled by ada@example.com" ||
		o.Phase != renga.PhaseFailed || o.At.IsZero() || r.Live {
		t.Errorf("outcome: %+v, live %v", o, r.Live)
	}
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	if d.Live != nil || d.Next != nil || d.Barred != 2 || d.Restarts["release.2"].IsZero() {
		t.Errorf("desired: %+v", d)
	}
	if got := eventTexts(t, s, a.ID); strings.Join(got, ", ") != "api:release create, api:release update" {
		t.Errorf("told: %q", got)
	}
	commit(t, s, a.ID, 3)
	if d, err = s.Desired(t.Context(), a.ID); err != nil || d.Barred != 0 || d.Next == nil {
		t.Errorf("after the next one: %+v, %v", d, err)
	}
}

func TestOnlyAPendingReleaseCanBeCanceled(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	for i, status := range []renga.ReleaseStatus{renga.Succeeded, renga.Failed, renga.Superseded} {
		version := i + 2
		commit(t, s, a.ID, version)
		setStatus(t, s, a.ID, version, status)
		before, err := s.Release(t.Context(), a.ID, version)
		check(t, err)
		err = s.CancelRelease(t.Context(), a.ID, version, "why")
		wantKind(t, err, renga.Conflict)
		if !strings.Contains(err.Error(), string(status)) {
			t.Errorf("%s: %v", status, err)
		}
		after, err := s.Release(t.Context(), a.ID, version)
		check(t, err)
		if after.Outcome.Status != status || after.Outcome.Reason != before.Outcome.Reason {
			t.Errorf("%s became %+v", status, after.Outcome)
		}
	}
	wantKind(t, s.CancelRelease(t.Context(), a.ID, 9, "why"), renga.NotFound)
	wantKind(t, s.CancelRelease(t.Context(), "nobody", 1, "why"), renga.NotFound)
}

// TestCancelAndSuccessRace: whoever comes first wins, and the other is told.
func TestCancelAndSuccessRace(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	for version := 2; version < 22; version++ {
		commit(t, s, a.ID, version)
		var canceled, succeeded error
		var race sync.WaitGroup
		race.Go(func() { canceled = s.CancelRelease(t.Context(), a.ID, version, "Canceled") })
		race.Go(func() {
			succeeded = s.SetOutcome(t.Context(), a.ID, version, renga.Outcome{Status: renga.Succeeded})
		})
		race.Wait()
		r, err := s.Release(t.Context(), a.ID, version)
		check(t, err)
		if (canceled == nil) == (succeeded == nil) || r.Live != (succeeded == nil) ||
			(r.Outcome.Status == renga.Failed) != (canceled == nil) {
			t.Fatalf("v%d is %s, live %v; cancel: %v, success: %v", version, r.Outcome.Status, r.Live, canceled, succeeded)
		}
		wantKind(t, map[bool]error{true: succeeded, false: canceled}[canceled == nil], renga.Conflict)
	}
}

// commitCanary commits v2, which is a canary until a time.
func commitCanary(t *testing.T, s *store.Store, app renga.AppID, until time.Time) {
	t.Helper()
	r := deploy(app, 2)
	r.Canary = renga.Canary{Percent: 20, For: time.Minute}
	check(t, s.Commit(t.Context(), r, "", webFill()))
	check(t, s.SetOutcome(t.Context(), app, 2, renga.Outcome{Status: renga.Pending, Phase: renga.PhasePassed}))
	check(t, s.SetOutcome(t.Context(), app, 2, renga.Outcome{Status: renga.Pending, CanaryUntil: until}))
}

// TestACanarysTimeIsSaidOnce and stays, with what was asked for, whatever
// becomes of the release.
func TestACanarysTimeIsSaidOnce(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	until := time.Now().Add(time.Minute).UTC()
	commitCanary(t, s, a.ID, until)
	check(t, s.SetOutcome(t.Context(), a.ID, 2, renga.Outcome{Status: renga.Pending, CanaryUntil: until.Add(time.Hour)}))
	wantCanary := func(status renga.ReleaseStatus) {
		t.Helper()
		r, err := s.Release(t.Context(), a.ID, 2)
		check(t, err)
		if o := r.Outcome; o.Status != status || !o.CanaryUntil.Equal(until) || o.Phase != renga.PhasePassed ||
			r.Canary != (renga.Canary{Percent: 20, For: time.Minute}) {
			t.Fatalf("canary %+v, outcome %+v; want %s until %v", r.Canary, o, status, until)
		}
	}
	wantCanary(renga.Pending)
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	if d.Next == nil || d.Next.Canary.Percent != 20 || !d.Next.Outcome.CanaryUntil.Equal(until) {
		t.Fatalf("next is %+v", d.Next)
	}
	check(t, s.SetOutcome(t.Context(), a.ID, 2, renga.Outcome{Status: renga.Succeeded}))
	wantCanary(renga.Succeeded)
}

func TestACanaryIsSuperseded(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commitCanary(t, s, a.ID, time.Now().Add(time.Minute))
	commit(t, s, a.ID, 3)
	r, err := s.Release(t.Context(), a.ID, 2)
	check(t, err)
	if o := r.Outcome; o.Status != renga.Superseded ||
		o.Reason != "superseded by v3 before its time as a canary was over" || o.CanaryUntil.IsZero() {
		t.Errorf("outcome: %+v", o)
	}
}

func TestACanarysTimeIsEnded(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commitCanary(t, s, a.ID, time.Now().Add(time.Hour))
	for range 2 { // once more changes nothing
		check(t, s.EndCanary(t.Context(), a.ID, 2))
	}
	r, err := s.Release(t.Context(), a.ID, 2)
	check(t, err)
	if r.Outcome.Status != renga.Pending || r.Outcome.CanaryUntil.After(time.Now()) {
		t.Errorf("outcome: %+v", r.Outcome)
	}
	setStatus(t, s, a.ID, 2, renga.Succeeded)
	wantKind(t, s.EndCanary(t.Context(), a.ID, 2), renga.Conflict)
	commit(t, s, a.ID, 3)
	wantKind(t, s.EndCanary(t.Context(), a.ID, 3), renga.Conflict)
}

func TestAnAppsCanaryIsKept(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	want := renga.Canary{Percent: 5, For: 90 * time.Second}
	_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error { a.Canary = want; return nil })
	check(t, err)
	if got, err := s.App(t.Context(), a.ID); err != nil || got.Canary != want {
		t.Errorf("canary is %+v, %v", got.Canary, err)
	}
}
