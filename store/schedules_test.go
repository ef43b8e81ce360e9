package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func nightly(a renga.App) renga.Schedule {
	return renga.Schedule{
		ID: "s1", App: a.ID, Name: "nightly", Cron: "@daily", Zone: "Europe/Berlin", Command: "rake tidy", Type: "worker",
		Size:    "eco",
		Overlap: true, Enabled: true, CreatedAt: noon, UpdatedAt: noon, Next: noon.Add(time.Hour),
	}
}

// addSchedule puts a schedule to an app's.
func addSchedule(t testing.TB, s *store.Store, sch renga.Schedule) {
	t.Helper()
	check(t, s.EditSchedules(t.Context(), sch.App, func(all map[string]renga.Schedule) error {
		all[sch.ID] = sch
		return nil
	}))
}

// note adds runs to a schedule.
func note(t testing.TB, s *store.Store, sch renga.Schedule, runs ...renga.ScheduledRun) {
	t.Helper()
	check(t, s.NoteRuns(t.Context(), sch.App, sch.ID,
		func(*renga.Schedule, int) ([]renga.ScheduledRun, error) { return runs, nil }))
}

func runOf(sch renga.Schedule) renga.ScheduledRun {
	return renga.ScheduledRun{
		ID: uuid.Must(uuid.NewV7()).String(), Schedule: sch.ID, Status: renga.RunStarting, DueAt: noon,
	}
}

func TestASchedulesRunsAreNotedWithItsNextTime(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	sch := nightly(a)
	addSchedule(t, s, sch)
	all, err := s.Schedules(t.Context(), a.ID)
	if check(t, err); len(all) != 1 || all[0] != sch {
		t.Fatalf("schedules %+v", all)
	}
	missed, run := runOf(sch), runOf(sch)
	missed.GiveUp(renga.RunMissed, noon, "Nobody was there.")
	var going []int
	decide := func(now *renga.Schedule, n int) ([]renga.ScheduledRun, error) {
		going = append(going, n)
		now.Next = noon.Add(25 * time.Hour)
		return []renga.ScheduledRun{missed, run}, nil
	}
	check(t, s.NoteRuns(t.Context(), a.ID, sch.ID, decide))
	all, err = s.Schedules(t.Context(), a.ID)
	if check(t, err); !all[0].Next.Equal(noon.Add(25*time.Hour)) || all[0].Last == nil || *all[0].Last != run {
		t.Errorf("afterwards %+v, last %+v", all[0], all[0].Last)
	}
	due, err := s.DueApps(t.Context())
	if check(t, err); len(due) != 1 || !due[a.ID].Equal(noon.Add(25*time.Hour)) {
		t.Errorf("due %v", due)
	}
	left, err := s.UnfinishedRuns(t.Context())
	if check(t, err); len(left) != 1 || !slices.Equal(left[a.ID], []renga.ScheduledRun{run}) {
		t.Errorf("unfinished %+v", left)
	}
	refusal := errors.New("no")
	err = s.NoteRuns(t.Context(), a.ID, sch.ID, func(_ *renga.Schedule, n int) ([]renga.ScheduledRun, error) {
		going = append(going, n)
		return nil, refusal
	})
	if !errors.Is(err, refusal) || !slices.Equal(going, []int{0, 1}) {
		t.Errorf("%v; going %v", err, going)
	}
	wantKind(t, s.NoteRuns(t.Context(), a.ID, "s2", decide), renga.NotFound)
}

func TestARunGoesForwardOnly(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	sch := nightly(a)
	addSchedule(t, s, sch)
	run := runOf(sch)
	note(t, s, sch, run)
	d := renga.Dyno{
		ID: run.ID, App: a.ID, Name: "scheduler.1234", Release: 3, Created: noon.Add(time.Second),
		Since: noon.Add(time.Minute),
	}
	began := func(r *renga.ScheduledRun) { r.Began(d) }
	check(t, s.UpdateRun(t.Context(), a.ID, run.ID, began))
	d.Exit, d.Reason = &renga.Exit{Code: 3}, "Process exited with status 3."
	check(t, s.RunEnded(t.Context(), d))
	check(t, s.RunEnded(t.Context(), renga.Dyno{ID: run.ID, App: a.ID, Exit: &renga.Exit{}}))
	check(t, s.UpdateRun(t.Context(), a.ID, run.ID, began))
	check(t, s.UpdateRun(t.Context(), a.ID, "no such run", began))
	runs, err := s.Runs(t.Context(), a.ID, sch.ID)
	check(t, err)
	code := 3
	want := renga.ScheduledRun{
		ID: run.ID, Schedule: sch.ID, Status: renga.RunFailed, Dyno: "scheduler.1234", Release: 3, DueAt: noon,
		StartedAt: noon.Add(time.Second), FinishedAt: noon.Add(time.Minute), ExitCode: &code,
		Reason: "Process exited with status 3.",
	}
	if len(runs) != 1 || runs[0].ExitCode == nil || *runs[0].ExitCode != code {
		t.Fatalf("runs %+v", runs)
	}
	if want.ExitCode = runs[0].ExitCode; runs[0] != want {
		t.Errorf("run %+v, want %+v", runs[0], want)
	}
	if left, err := s.UnfinishedRuns(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("unfinished %+v, %v", left, err)
	}
}

func TestTheNewestRunsAreKeptAndThoseThatGoOn(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	sch := nightly(a)
	addSchedule(t, s, sch)
	long := runOf(sch)
	note(t, s, sch, long)
	var last string
	for range 3 {
		var some []renga.ScheduledRun
		for range 40 {
			run := runOf(sch)
			run.GiveUp(renga.RunSkipped, noon, "The run before it was still going.")
			some, last = append(some, run), run.ID
		}
		note(t, s, sch, some...)
	}
	runs, err := s.Runs(t.Context(), a.ID, sch.ID)
	if check(t, err); len(runs) != 101 || runs[0].ID != long.ID || runs[100].ID != last {
		t.Errorf("%d runs from %+v to %+v", len(runs), runs[0], runs[len(runs)-1])
	}
}

// TestARemovedAppLeavesNothingOfItsSchedules, nor does a removed schedule.
func TestARemovedAppLeavesNothingOfItsSchedules(t *testing.T) {
	s, redis := newStore(t)
	a := createApp(t, s, "haiku")
	for n := range 2 {
		sch := nightly(a)
		sch.ID = fmt.Sprint("s", n)
		addSchedule(t, s, sch)
		note(t, s, sch, runOf(sch))
	}
	check(t, s.RemoveSchedule(t.Context(), a.ID, "s0"))
	wantKind(t, s.RemoveSchedule(t.Context(), a.ID, "s0"), renga.NotFound)
	if runs, err := s.Runs(t.Context(), a.ID, "s0"); err != nil || len(runs) != 0 {
		t.Errorf("runs of a removed schedule: %+v, %v", runs, err)
	}
	if left, err := s.UnfinishedRuns(t.Context()); err != nil || len(left[a.ID]) != 1 || left[a.ID][0].Schedule != "s1" {
		t.Errorf("unfinished %+v, %v", left, err)
	}
	check(t, s.RemoveApp(t.Context(), a.ID))
	for _, key := range redis.raw(t).Keys(t.Context(), "*").Val() {
		if strings.Contains(key, string(a.ID)) {
			t.Errorf("%s is left", key)
		}
	}
	_, err := s.Schedules(t.Context(), a.ID)
	wantKind(t, err, renga.NotFound)
}

// TestOfTwentyClaimsOfOneTimeOneWins: whatever runs at once, a time has one run.
func TestOfTwentyClaimsOfOneTimeOneWins(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	sch := nightly(a)
	addSchedule(t, s, sch)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := s.NoteRuns(t.Context(), a.ID, sch.ID, func(now *renga.Schedule, _ int) ([]renga.ScheduledRun, error) {
				if !now.Next.Equal(sch.Next) {
					return nil, nil
				}
				now.Next = sch.Next.Add(time.Hour)
				return []renga.ScheduledRun{runOf(sch)}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if runs, err := s.Runs(t.Context(), a.ID, sch.ID); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}
