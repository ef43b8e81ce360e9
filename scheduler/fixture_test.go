package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/scheduler"
)

const shop renga.AppID = "6c1b0f9e-0000-4000-8000-000000000001"

// fixture is a store, an engine and a log, in a bubble of time that begins at
// midnight. Any of its parts may be away.
type fixture struct {
	*testing.T
	mu        sync.Mutex
	schedules map[string]renga.Schedule
	runs      []renga.ScheduledRun // in order
	dynos     map[string]renga.Dyno
	started   []string // every start, as "15:04:05 command"
	lines     []string
	storeErr  error
	runnerErr error
	takes     time.Duration // how long a start takes
	forgetful bool          // notes of runs are made, and their answers are lost
	reads     int           // of the store
	room      *scheduler.Scheduler
	end       func()
}

// withFixture runs a test with a fixture.
func withFixture(t *testing.T, test func(w *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		w := &fixture{T: t, schedules: map[string]renga.Schedule{}, dynos: map[string]renga.Dyno{}}
		w.run()
		test(w)
		w.end()
	})
}

// run starts a room, after the one before has ended.
func (w *fixture) run() {
	if w.end != nil {
		w.end()
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.room = scheduler.New(scheduler.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}, w, w, w, w)
	ended := make(chan error)
	go func() { ended <- w.room.Run(ctx) }()
	w.end = func() {
		cancel()
		if err := <-ended; err != nil {
			w.Error(err)
		}
		w.end = func() {}
	}
	synctest.Wait()
}

func (w *fixture) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// set changes the fixture.
func (w *fixture) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *fixture) add(cron, command string, more ...func(*renga.Schedule)) renga.Schedule {
	w.Helper()
	sch := renga.Schedule{App: shop, Cron: cron, Command: command, Enabled: true}
	for _, change := range more {
		change(&sch)
	}
	sch, err := w.room.AddSchedule(context.Background(), sch)
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
	return sch
}

// did is every start since the last call.
func (w *fixture) did(want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.started, want) {
		w.Errorf("started %q, want %q", w.started, want)
	}
	w.started = nil
}

// ran compares the runs, as "15:04:05 status reason".
func (w *fixture) ran(want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, r := range w.runs {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.DueAt.UTC().Format(time.TimeOnly), r.Status, r.Reason)))
	}
	if !slices.Equal(got, want) {
		w.Errorf("runs:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// ends ends the dyno of the newest run.
func (w *fixture) ends() {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &w.runs[len(w.runs)-1]
	r.Ended(renga.Dyno{ID: r.ID, Name: "scheduler.1234", Exit: &renga.Exit{}, Since: time.Now()})
	delete(w.dynos, r.ID)
}

func (w *fixture) DueApps(context.Context) (map[renga.AppID]time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	due := map[renga.AppID]time.Time{}
	for _, s := range w.schedules {
		if first, ok := due[s.App]; !s.Next.IsZero() && (!ok || s.Next.Before(first)) {
			due[s.App] = s.Next
		}
	}
	return due, w.storeErr
}

func (w *fixture) Schedules(_ context.Context, app renga.AppID) ([]renga.Schedule, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	var all []renga.Schedule
	for _, s := range w.schedules {
		if s.App == app {
			all = append(all, s)
		}
	}
	if len(all) == 0 && w.storeErr == nil {
		return nil, renga.Errorf(renga.NotFound, "No app.")
	}
	return all, w.storeErr
}

func (w *fixture) EditSchedules(_ context.Context, _ renga.AppID, edit func(map[string]renga.Schedule) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := maps.Clone(w.schedules)
	if w.storeErr != nil {
		return w.storeErr
	}
	if err := edit(all); err != nil {
		return err
	}
	w.schedules = all
	return nil
}

func (w *fixture) RemoveSchedule(_ context.Context, _ renga.AppID, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.schedules, id)
	w.runs = slices.DeleteFunc(w.runs, func(r renga.ScheduledRun) bool { return r.Schedule == id })
	return w.storeErr
}

func (w *fixture) NoteRuns(_ context.Context, _ renga.AppID, id string,
	decide func(*renga.Schedule, int) ([]renga.ScheduledRun, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	s, ok := w.schedules[id]
	if !ok && w.storeErr == nil {
		return renga.Errorf(renga.NotFound, "No schedule.")
	}
	if w.storeErr != nil {
		return w.storeErr
	}
	going := 0
	for _, r := range w.runs {
		if r.Schedule == id && !r.Over() {
			going++
		}
	}
	runs, err := decide(&s, going)
	if err != nil {
		return err
	}
	w.runs = append(w.runs, runs...)
	w.schedules[id] = s
	if w.forgetful {
		return renga.Errorf(renga.Unavailable, "Redis did not answer.")
	}
	return nil
}

func (w *fixture) UnfinishedRuns(context.Context) (map[renga.AppID][]renga.ScheduledRun, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	left := map[renga.AppID][]renga.ScheduledRun{}
	for _, r := range w.runs {
		if !r.Over() {
			app := w.schedules[r.Schedule].App
			left[app] = append(left[app], r)
		}
	}
	return left, w.storeErr
}

func (w *fixture) UpdateRun(_ context.Context, _ renga.AppID, id string, edit func(*renga.ScheduledRun)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.storeErr != nil {
		return w.storeErr
	}
	for i := range w.runs {
		if w.runs[i].ID == id && !w.runs[i].Over() {
			edit(&w.runs[i])
		}
	}
	return nil
}

// RunOneOff starts a dyno, once for an id. One whose asker has left is not
// started.
func (w *fixture) RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, error) {
	w.mu.Lock()
	takes := w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return renga.Dyno{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.runnerErr != nil {
		return renga.Dyno{}, w.runnerErr
	}
	d, there := w.dynos[asked.Dyno]
	if !there {
		d = renga.Dyno{ID: asked.Dyno, App: app, Name: "scheduler.1234", Release: 7, Created: time.Now()}
		w.dynos[d.ID] = d
		w.started = append(w.started, time.Now().UTC().Format(time.TimeOnly)+" "+asked.Command)
	}
	if asked.As != renga.Scheduler || asked.Attach {
		w.Errorf("asked for %+v", asked)
	}
	return d, nil
}

func (w *fixture) FindOneOff(_ context.Context, _ renga.AppID, dyno string) (renga.Dyno, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.dynos[dyno]
	if !ok && w.runnerErr == nil {
		return d, renga.Errorf(renga.NotFound, "No dyno.")
	}
	return d, w.runnerErr
}

func (w *fixture) Line(_ renga.AppID, source, dyno, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%s[%s]: %s", source, dyno, text))
}
