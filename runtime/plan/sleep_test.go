package plan_test

import (
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/plan"
)

const sleepAfter = 30 * time.Minute

func TestPlanOfAnAppThatMaySleep(t *testing.T) {
	up := []string{"web.1 v2 up", "worker.1 v2 up"}
	idle := func(d time.Duration) func(*plan.State) {
		return func(w *plan.State) { w.IdleSince = now.Add(-d) }
	}
	asleep := func(d time.Duration) func(*plan.State) {
		return func(w *plan.State) { w.Desired.AsleepSince = now.Add(-d) }
	}
	for name, c := range map[string]struct {
		situation
		change func(*plan.State)
		steps  string
		route  string
		again  time.Duration
	}{
		"it stays up until the time is over": {situation{instances: up}, idle(sleepAfter - time.Minute), "", "i1 ", time.Minute},
		"it falls asleep then":               {situation{instances: up}, idle(sleepAfter), "fall asleep", "asleep", 0},
		"one that never sleeps does not": {situation{instances: up}, func(w *plan.State) { w.Desired.App.SleepAfter = 0 },
			"", "i1 ", 0},
		"with the store away nothing changes": {situation{instances: up, away: true}, idle(time.Hour), "", "i1 ", 0},
		"without web dynos nobody could wake it": {situation{live: "v2 worker", instances: []string{"worker.1 v2 up"}}, idle(time.Hour),
			"", "scaled", 0},
		"a release keeps it awake": {situation{next: "v3 web=b", instances: append([]string{"web.1 v3 running"}, up...)}, idle(time.Hour),
			"", "i2 ", 0},
		"a dyno on its way does": {situation{instances: []string{"web.1 v2 running", "worker.1 v2 up"}}, idle(time.Hour), "", "starting", 0},
		"one that crashed does not": {situation{instances: []string{"web.1 v2 exited crashes=4", "worker.1 v2 up"}}, idle(time.Hour),
			"fall asleep", "asleep", 0},
		"a restart begins the time anew": {situation{instances: up, restart: "worker"}, idle(time.Hour), "", "i1 ", sleepAfter - time.Minute},
		"so does another scale": {situation{instances: up}, func(w *plan.State) {
			idle(time.Hour)(w)
			w.Desired.Formation["worker"] = renga.Scale{Quantity: 1, UpdatedAt: now.Add(-10 * time.Minute)}
		}, "", "i1 ", 20 * time.Minute},

		"asleep all of it is stopped": {situation{instances: up}, asleep(time.Second), "stop i1,stop i2", "asleep", 0},
		"but what is no part of the formation": {situation{instances: []string{"run.1234 v2 up", "release.1 v1 running",
			"web.1 v2 exited"}}, asleep(time.Second),
			"stop i3", "asleep", 9*time.Minute + 30*time.Second},
		"asleep nothing is started":        {situation{}, asleep(time.Hour), "", "asleep", 0},
		"not even with the store away":     {situation{away: true}, asleep(time.Hour), "", "asleep", 0},
		"then nothing is stopped, either":  {situation{away: true, instances: up}, asleep(time.Hour), "", "asleep", 0},
		"one-off dynos' ends are no event": {situation{restart: "run.1234"}, asleep(time.Hour), "", "asleep", 0},
		"a request wakes it up": {situation{}, func(w *plan.State) { asleep(time.Hour)(w); w.Requested = true },
			"wake up,start web.1 v2,start worker.1 v2", "starting", 0},
		"with the store away, too": {situation{away: true}, func(w *plan.State) { asleep(time.Hour)(w); w.Requested = true },
			"start web.1 v2,start worker.1 v2", "starting", 0},
		"a release does": {situation{next: "v3 web=b"}, asleep(time.Hour),
			"wake up,start web.1 v2,start worker.1 v2,start web.1 v3", "starting", 0},
		"a restart does": {situation{restart: "*"}, asleep(time.Hour), "wake up,start web.1 v2,start worker.1 v2", "starting", 0},
		"scaling does": {situation{}, func(w *plan.State) {
			asleep(time.Hour)(w)
			w.Desired.Formation[renga.Web] = renga.Scale{Quantity: 2, UpdatedAt: now}
		}, "wake up,start web.1 v2,start web.2 v2,start worker.1 v2", "starting", 0},
		"that it may not sleep any more does": {situation{}, func(w *plan.State) { asleep(time.Hour)(w); w.Desired.App.SleepAfter = 0 },
			"wake up,start web.1 v2,start worker.1 v2", "starting", 0},
		"the end of the app is the end of its sleep": {situation{gone: true, instances: up}, asleep(time.Hour), "stop i1,stop i2", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.live == "" {
				c.live = "v2 web=a worker=b"
			}
			c.formation = "web=1 worker=1"
			w := c.state()
			w.Desired.App.SleepAfter, w.Asked = sleepAfter, now
			for n := range w.Instances {
				if w.Instances[n].Type == renga.Run {
					w.Instances[n].Until = time.Time{}
				}
			}
			c.change(&w)
			todo := w.Plan()
			if got := strings.Join(words(todo.Steps), ","); got != c.steps {
				t.Errorf("steps %q; want %q", got, c.steps)
			}
			if got := asked(todo.Route); got != c.route {
				t.Errorf("route %q; want %q", got, c.route)
			}
			if got := todo.Again; got.IsZero() != (c.again == 0) || c.again != 0 && got.Sub(now) != c.again {
				t.Errorf("looks again at %v; want after %v", got, c.again)
			}
		})
	}
}
