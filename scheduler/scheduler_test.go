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

// world is a store, an engine and a log, in a bubble of time that begins at
// midnight. Any of its parts may be away.
type world struct {
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

// inWorld runs a test in a world.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, schedules: map[string]renga.Schedule{}, dynos: map[string]renga.Dyno{}}
		w.run()
		test(w)
		w.end()
	})
}

// run starts a room, after the one before has ended.
func (w *world) run() {
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

func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) add(cron, command string, more ...func(*renga.Schedule)) renga.Schedule {
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
func (w *world) did(want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.started, want) {
		w.Errorf("started %q, want %q", w.started, want)
	}
	w.started = nil
}

// ran compares the runs, as "15:04:05 status reason".
func (w *world) ran(want ...string) {
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
func (w *world) ends() {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &w.runs[len(w.runs)-1]
	r.Ended(renga.Dyno{ID: r.ID, Name: "scheduler.1234", Exit: &renga.Exit{}, Since: time.Now()})
	delete(w.dynos, r.ID)
}

func (w *world) DueApps(context.Context) (map[renga.AppID]time.Time, error) {
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

func (w *world) Schedules(_ context.Context, app renga.AppID) ([]renga.Schedule, error) {
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

func (w *world) EditSchedules(_ context.Context, _ renga.AppID, edit func(map[string]renga.Schedule) error) error {
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

func (w *world) RemoveSchedule(_ context.Context, _ renga.AppID, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.schedules, id)
	w.runs = slices.DeleteFunc(w.runs, func(r renga.ScheduledRun) bool { return r.Schedule == id })
	return w.storeErr
}

func (w *world) NoteRuns(_ context.Context, _ renga.AppID, id string, decide func(*renga.Schedule, int) ([]renga.ScheduledRun, error)) error {
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

func (w *world) UnfinishedRuns(context.Context) (map[renga.AppID][]renga.ScheduledRun, error) {
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

func (w *world) UpdateRun(_ context.Context, _ renga.AppID, id string, edit func(*renga.ScheduledRun)) error {
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
func (w *world) RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, error) {
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

func (w *world) FindOneOff(_ context.Context, _ renga.AppID, dyno string) (renga.Dyno, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.dynos[dyno]
	if !ok && w.runnerErr == nil {
		return d, renga.Errorf(renga.NotFound, "No dyno.")
	}
	return d, w.runnerErr
}

func (w *world) Line(_ renga.AppID, source, dyno, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%s[%s]: %s", source, dyno, text))
}

func TestWhatIsDueIsStarted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.after(30 * time.Second)
		often := w.add("* * * * *", "often")
		hourly := w.add("@hourly", "rarely", func(s *renga.Schedule) { s.Name = "rarely" })
		if w.after(0); !hourly.Next.Equal(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
			t.Errorf("next at %v", hourly.Next)
		}
		w.did()
		for range 3 {
			w.after(time.Minute)
			w.ends()
		}
		w.did("00:01:00 often", "00:02:00 often", "00:03:00 often")
		w.ran("00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 succeeded")
		if r := w.runs[0]; r.Dyno != "scheduler.1234" || r.Release != 7 || !r.StartedAt.Equal(r.DueAt) || *r.ExitCode != 0 {
			t.Errorf("run %+v", r)
		}
		if _, err := w.room.UpdateSchedule(t.Context(), shop, hourly.ID, func(s *renga.Schedule) error { s.Cron = "5 * * * *"; return nil }); err != nil {
			t.Error(err)
		}
		if err := w.room.RemoveSchedule(t.Context(), shop, often.ID); err != nil {
			t.Error(err)
		}
		w.after(2 * time.Minute)
		w.did("00:05:00 rarely")
		w.ran("00:05:00 running")
	})
}

func TestARunThatStillGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		sch := w.add("* * * * *", "long")
		w.after(2 * time.Minute)
		w.did("00:01:00 long")
		w.ran("00:01:00 running", "00:02:00 skipped The run before it was still going.")
		if want := "heroku[scheduler]: Run of " + sch.ID + " due at 2000-01-01T00:02:00Z skipped: The run before it was still going."; !slices.Equal(w.lines, []string{want}) {
			t.Errorf("lines %q", w.lines)
		}
		if _, err := w.room.RunSchedule(t.Context(), shop, sch.ID); renga.KindOf(err) != renga.Conflict {
			t.Errorf("by hand: %v", err)
		}
		if _, err := w.room.UpdateSchedule(t.Context(), shop, sch.ID, func(s *renga.Schedule) error { s.Overlap = true; return nil }); err != nil {
			t.Error(err)
		}
		w.after(time.Minute)
		w.did("00:03:00 long")
	})
}

func TestARunByHand(t *testing.T) {
	inWorld(t, func(w *world) {
		sch := w.add("@daily", "now", func(s *renga.Schedule) { s.Enabled = false })
		w.after(48 * time.Hour)
		w.did()
		run, err := w.room.RunSchedule(t.Context(), shop, sch.ID)
		if err != nil || run.Status != renga.RunStarting {
			t.Errorf("%+v, %v", run, err)
		}
		w.after(0)
		w.did("00:00:00 now")
		w.ran("00:00:00 running")
		if _, err := w.room.RunSchedule(t.Context(), shop, "nothing"); renga.KindOf(err) != renga.NotFound {
			t.Errorf("of nothing: %v", err)
		}
	})
}

// TestDeathBetweenTheSteps: whenever Renga dies, a time has one run at the most,
// and every run comes to an end.
func TestDeathBetweenTheSteps(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(w *world) // before the run is due at 00:01
		down    time.Duration  // from 00:01:10 on
		starts  []string
		runs    []string
	}{
		"noted, and back at once": {
			func(w *world) { w.takes = 15 * time.Second }, 5 * time.Second,
			[]string{"00:01:30 job"}, []string{"00:01:00 running"},
		},
		"noted, and back too late": {
			func(w *world) { w.takes = 15 * time.Second }, 2 * time.Minute,
			nil, []string{"00:01:00 missed Renga was ended before it could start it."},
		},
		"started, and back": {
			func(*world) {}, 2 * time.Minute,
			[]string{"00:01:00 job"}, []string{"00:01:00 running"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.set(func() { test.prepare(w) })
				w.add("1 0 * * *", "job")
				w.after(70 * time.Second)
				w.end()
				w.after(test.down)
				w.run()
				w.after(time.Minute)
				w.did(test.starts...)
				w.ran(test.runs...)
			})
		})
	}
}

// TestAStartWhoseNoteWasLost: the dyno runs, and the store says that it is to be
// started. It is found.
func TestAStartWhoseNoteWasLost(t *testing.T) {
	for _, down := range []time.Duration{time.Second, time.Hour} {
		inWorld(t, func(w *world) {
			w.add("1 0 * * *", "job")
			w.set(func() { w.takes = 5 * time.Second })
			w.after(62 * time.Second)
			w.set(func() { w.storeErr = renga.Errorf(renga.Unavailable, "Redis is away.") })
			w.after(10 * time.Second)
			w.did("00:01:05 job")
			w.end()
			w.set(func() { w.storeErr = nil })
			w.ran("00:01:00 starting")
			w.after(down)
			w.run()
			w.after(time.Minute)
			w.did()
			w.ran("00:01:00 running")
		})
	}
}

// TestANoteWhoseAnswerWasLost is found and started.
func TestANoteWhoseAnswerWasLost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1 0 * * *", "job")
		w.set(func() { w.forgetful = true })
		w.after(time.Minute)
		w.set(func() { w.forgetful = false })
		w.after(10 * time.Second)
		w.did("00:01:02 job")
		w.ran("00:01:00 running")
	})
}

func TestWhatWasMissedIsListedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("*/10 * * * *", "job")
		w.after(10 * time.Minute)
		w.ends()
		w.end()
		w.after(3*time.Hour + 5*time.Minute)
		w.run()
		w.did("00:10:00 job")
		w.ran("00:10:00 succeeded", "03:10:00 missed Renga was not running, or could not reach its Redis; the runs before it were missed too, since that of 2000-01-01T00:20:00Z.")
		w.after(5 * time.Minute)
		w.did("03:20:00 job")
	})
}

func TestRedisMayBeAway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("*/10 * * * *", "job", func(s *renga.Schedule) { s.Overlap = true })
		away := func(err error) { w.set(func() { w.storeErr = err }) }
		away(renga.Errorf(renga.Unavailable, "Redis is away."))
		w.after(10*time.Minute + 20*time.Second)
		away(nil)
		w.after(5 * time.Second)
		w.did("00:10:22 job")
		away(renga.Errorf(renga.Unavailable, "Redis is away."))
		w.run() // it is away when we start, too
		w.after(15 * time.Minute)
		away(nil)
		w.after(5 * time.Second)
		w.did()
		w.ran("00:10:00 running", "00:20:00 missed Renga was not running, or could not reach its Redis.")
		w.after(5 * time.Minute)
		w.did("00:30:00 job")
	})
}

func TestTheEngineMayBeAway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("*/10 * * * *", "job", func(s *renga.Schedule) { s.Overlap = true })
		away := func(err error) { w.set(func() { w.runnerErr = err }) }
		away(renga.Errorf(renga.Unavailable, "Docker is away."))
		w.after(10*time.Minute + 30*time.Second)
		away(nil)
		w.after(5 * time.Second)
		w.did("00:10:32 job")
		away(renga.Errorf(renga.Unavailable, "Docker is away."))
		w.after(12 * time.Minute)
		w.run() // runs whose dynos cannot be looked for stay as they are
		w.ran("00:10:00 running", "00:20:00 missed Docker is away.")
		away(renga.Errorf(renga.Invalid, "There is no release."))
		w.after(10 * time.Minute)
		away(fmt.Errorf("a secret"))
		w.after(10 * time.Minute)
		w.did()
		w.ran("00:10:00 running", "00:20:00 missed Docker is away.", "00:30:00 failed There is no release.", "00:40:00 failed It could not be started, for a reason that is in Renga's log.")
	})
}

// TestADynoThatIsGone does not leave a run under way for ever.
func TestADynoThatIsGone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("1 0 * * *", "job")
		w.after(2 * time.Minute)
		w.ran("00:01:00 running")
		w.set(func() { clear(w.dynos) })
		w.after(5 * time.Minute)
		w.ran("00:01:00 failed Its dyno is gone, so nobody knows how it ended.")
	})
}

func TestAppsAndSchedulesThatGo(t *testing.T) {
	inWorld(t, func(w *world) {
		first, second := w.add("* * * * *", "first"), w.add("* * * * *", "second")
		if err := w.room.RemoveSchedule(t.Context(), shop, first.ID); err != nil {
			t.Error(err)
		}
		w.after(time.Minute)
		w.did("00:01:00 second")
		w.set(func() { delete(w.schedules, second.ID) })
		w.after(time.Hour)
		w.did()
	})
}

// TestAThousandAppsAreStartedWithinTheirMinute, and nobody is asked in between.
func TestAThousandAppsAreStartedWithinTheirMinute(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(func() {
			for n := range 1000 {
				app := renga.AppID(fmt.Sprintf("app-%d", n))
				w.schedules[string(app)] = renga.Schedule{ID: string(app), App: app, Cron: "@hourly", Command: "job", Enabled: true, Next: time.Now().Add(time.Hour)}
			}
			w.takes = 400 * time.Millisecond
		})
		w.run()
		w.after(59 * time.Minute)
		w.set(func() {
			if w.reads > 50 {
				t.Errorf("the store was asked %d times in an hour in which nothing was due", w.reads)
			}
		})
		w.after(2 * time.Minute)
		w.set(func() {
			if len(w.started) != 1000 {
				t.Errorf("%d were started", len(w.started))
			}
		})
	})
}

func TestSchedulesAreChecked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add("@daily", "job", func(s *renga.Schedule) { s.Name = "nightly" })
		for want, change := range map[string]func(*renga.Schedule){
			"Command must":                           func(s *renga.Schedule) { s.Command = "" },
			"Cron must":                              func(s *renga.Schedule) { s.Cron = "sometimes" },
			"Cron names a time that never comes":     func(s *renga.Schedule) { s.Cron = "0 0 30 2 *" },
			"Timezone must":                          func(s *renga.Schedule) { s.Zone = "Mars/Olympus" },
			"Name must":                              func(s *renga.Schedule) { s.Name = "Nightly!" },
			"The app has a schedule nightly already": func(s *renga.Schedule) { s.Name = "nightly" },
			"is reserved":                            func(s *renga.Schedule) { s.Type = "run" },
		} {
			sch := renga.Schedule{App: shop, Cron: "@daily", Command: "job", Enabled: true}
			change(&sch)
			if _, err := w.room.AddSchedule(t.Context(), sch); err == nil || !strings.Contains(renga.MessageOf(err, ""), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		for range scheduler.MaxSchedules - 1 {
			w.add("@daily", "job")
		}
		if _, err := w.room.AddSchedule(t.Context(), renga.Schedule{App: shop, Cron: "@daily", Command: "job"}); !strings.Contains(renga.MessageOf(err, ""), "may have 50 schedules") {
			t.Errorf("one too many: %v", err)
		}
		if _, err := w.room.UpdateSchedule(t.Context(), shop, "nothing", func(*renga.Schedule) error { return nil }); renga.KindOf(err) != renga.NotFound {
			t.Errorf("of nothing: %v", err)
		}
	})
}
