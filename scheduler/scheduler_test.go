package scheduler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/scheduler"
)

func TestWhatIsDueIsStarted(t *testing.T) {
	withFixture(t, func(w *fixture) {
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
		if _, err := w.room.UpdateSchedule(t.Context(), shop, hourly.ID,
			func(s *renga.Schedule) error { s.Cron = "5 * * * *"; return nil }); err != nil {
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
	withFixture(t, func(w *fixture) {
		sch := w.add("* * * * *", "long")
		w.after(2 * time.Minute)
		w.did("00:01:00 long")
		w.ran("00:01:00 running", "00:02:00 skipped The run before it was still going.")
		if want := "heroku[scheduler]: Run of " + sch.ID +
			" due at 2000-01-01T00:02:00Z skipped: The run before it was still going."; !slices.Equal(w.lines, []string{want}) {
			t.Errorf("lines %q", w.lines)
		}
		if _, err := w.room.RunSchedule(t.Context(), shop, sch.ID); renga.KindOf(err) != renga.Conflict {
			t.Errorf("by hand: %v", err)
		}
		if _, err := w.room.UpdateSchedule(t.Context(), shop, sch.ID,
			func(s *renga.Schedule) error { s.Overlap = true; return nil }); err != nil {
			t.Error(err)
		}
		w.after(time.Minute)
		w.did("00:03:00 long")
	})
}

func TestARunByHand(t *testing.T) {
	withFixture(t, func(w *fixture) {
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
		prepare func(w *fixture) // before the run is due at 00:01
		down    time.Duration    // from 00:01:10 on
		starts  []string
		runs    []string
	}{
		"noted, and back at once": {
			func(w *fixture) { w.takes = 15 * time.Second }, 5 * time.Second,
			[]string{"00:01:30 job"}, []string{"00:01:00 running"},
		},
		"noted, and back too late": {
			func(w *fixture) { w.takes = 15 * time.Second }, 2 * time.Minute,
			nil, []string{"00:01:00 missed Renga was ended before it could start it."},
		},
		"started, and back": {
			func(*fixture) {}, 2 * time.Minute,
			[]string{"00:01:00 job"}, []string{"00:01:00 running"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			withFixture(t, func(w *fixture) {
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
		withFixture(t, func(w *fixture) {
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
	withFixture(t, func(w *fixture) {
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
	withFixture(t, func(w *fixture) {
		w.add("*/10 * * * *", "job")
		w.after(10 * time.Minute)
		w.ends()
		w.end()
		w.after(3*time.Hour + 5*time.Minute)
		w.run()
		w.did("00:10:00 job")
		w.ran("00:10:00 succeeded", "03:10:00 missed Renga was not running, or could not reach its Redis; the runs before "+
			"it were missed too, since that of 2000-01-01T00:20:00Z.")
		w.after(5 * time.Minute)
		w.did("03:20:00 job")
	})
}

func TestRedisMayBeAway(t *testing.T) {
	withFixture(t, func(w *fixture) {
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
	withFixture(t, func(w *fixture) {
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
		w.ran("00:10:00 running", "00:20:00 missed Docker is away.", "00:30:00 failed There is no release.",
			"00:40:00 failed It could not be started, for a reason that is in Renga's log.")
	})
}

// TestADynoThatIsGone does not leave a run under way for ever.
func TestADynoThatIsGone(t *testing.T) {
	withFixture(t, func(w *fixture) {
		w.add("1 0 * * *", "job")
		w.after(2 * time.Minute)
		w.ran("00:01:00 running")
		w.set(func() { clear(w.dynos) })
		w.after(5 * time.Minute)
		w.ran("00:01:00 failed Its dyno is gone, so nobody knows how it ended.")
	})
}

func TestAppsAndSchedulesThatGo(t *testing.T) {
	withFixture(t, func(w *fixture) {
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
	withFixture(t, func(w *fixture) {
		w.set(func() {
			for n := range 1000 {
				app := renga.AppID(fmt.Sprintf("app-%d", n))
				w.schedules[string(app)] = renga.Schedule{
					ID: string(app), App: app, Cron: "@hourly", Command: "job", Enabled: true, Next: time.Now().Add(time.Hour),
				}
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
	withFixture(t, func(w *fixture) {
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
		if _, err := w.room.AddSchedule(t.Context(), renga.Schedule{
			App: shop, Cron: "@daily", Command: "job",
		}); !strings.Contains(renga.MessageOf(err, ""), "may have 50 schedules") {
			t.Errorf("one too many: %v", err)
		}
		if _, err := w.room.UpdateSchedule(t.Context(), shop, "nothing",
			func(*renga.Schedule) error { return nil }); renga.KindOf(err) != renga.NotFound {
			t.Errorf("of nothing: %v", err)
		}
	})
}
