package plan_test

import (
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/plan"
)

const nap = 30 * time.Minute

func TestPlanOfAnAppThatMaySleep(t *testing.T) {
	up := []string{"web.1 v2 up", "worker.1 v2 up"}
	quiet := func(d time.Duration) func(*plan.World) {
		return func(w *plan.World) { w.QuietSince = now.Add(-d) }
	}
	asleep := func(d time.Duration) func(*plan.World) {
		return func(w *plan.World) { w.Desired.AsleepSince = now.Add(-d) }
	}
	for name, c := range map[string]struct {
		situation
		change func(*plan.World)
		steps  string
		route  string
		again  time.Duration
	}{
		"it stays up until the time is over": {situation{instances: up}, quiet(nap - time.Minute), "", "i1 ", time.Minute},
		"it falls asleep then":               {situation{instances: up}, quiet(nap), "doze", "asleep", 0},
		"one that never sleeps does not": {situation{instances: up}, func(w *plan.World) { w.Desired.App.SleepAfter = 0 },
			"", "i1 ", 0},
		"with the store away nothing changes": {situation{instances: up, away: true}, quiet(time.Hour), "", "i1 ", 0},
		"without web dynos nobody could wake it": {situation{live: "v2 worker", instances: []string{"worker.1 v2 up"}}, quiet(time.Hour),
			"", "scaled", 0},
		"a release keeps it awake": {situation{next: "v3 web=b", instances: append([]string{"web.1 v3 running"}, up...)}, quiet(time.Hour),
			"", "i2 ", 0},
		"a dyno on its way does": {situation{instances: []string{"web.1 v2 running", "worker.1 v2 up"}}, quiet(time.Hour), "", "starting", 0},
		"one that crashed does not": {situation{instances: []string{"web.1 v2 exited crashes=4", "worker.1 v2 up"}}, quiet(time.Hour),
			"doze", "asleep", 0},
		"a restart begins the time anew": {situation{instances: up, restart: "worker"}, quiet(time.Hour), "", "i1 ", nap - time.Minute},
		"so does another scale": {situation{instances: up}, func(w *plan.World) {
			quiet(time.Hour)(w)
			w.Desired.Formation["worker"] = renga.Scale{Quantity: 1, UpdatedAt: now.Add(-10 * time.Minute)}
		}, "", "i1 ", 20 * time.Minute},

		"asleep all of it is stopped": {situation{instances: up}, asleep(time.Second), "stop i1,stop i2", "asleep", 0},
		"but what is no part of the formation": {situation{instances: []string{"run.1234 v2 up", "release.1 v1 running", "web.1 v2 exited"}}, asleep(time.Second),
			"stop i3", "asleep", 9*time.Minute + 30*time.Second},
		"asleep nothing is started":        {situation{}, asleep(time.Hour), "", "asleep", 0},
		"not even with the store away":     {situation{away: true}, asleep(time.Hour), "", "asleep", 0},
		"then nothing is stopped, either":  {situation{away: true, instances: up}, asleep(time.Hour), "", "asleep", 0},
		"one-off dynos' ends are no event": {situation{restart: "run.1234"}, asleep(time.Hour), "", "asleep", 0},
		"a request wakes it": {situation{}, func(w *plan.World) { asleep(time.Hour)(w); w.Requested = true },
			"rouse,start web.1 v2,start worker.1 v2", "starting", 0},
		"with the store away, too": {situation{away: true}, func(w *plan.World) { asleep(time.Hour)(w); w.Requested = true },
			"start web.1 v2,start worker.1 v2", "starting", 0},
		"a release does": {situation{next: "v3 web=b"}, asleep(time.Hour),
			"rouse,start web.1 v2,start worker.1 v2,start web.1 v3", "starting", 0},
		"a restart does": {situation{restart: "*"}, asleep(time.Hour), "rouse,start web.1 v2,start worker.1 v2", "starting", 0},
		"scaling does": {situation{}, func(w *plan.World) {
			asleep(time.Hour)(w)
			w.Desired.Formation[renga.Web] = renga.Scale{Quantity: 2, UpdatedAt: now}
		}, "rouse,start web.1 v2,start web.2 v2,start worker.1 v2", "starting", 0},
		"that it may not sleep any more does": {situation{}, func(w *plan.World) { asleep(time.Hour)(w); w.Desired.App.SleepAfter = 0 },
			"rouse,start web.1 v2,start worker.1 v2", "starting", 0},
		"the end of the app is the end of its sleep": {situation{gone: true, instances: up}, asleep(time.Hour), "stop i1,stop i2", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.live == "" {
				c.live = "v2 web=a worker=b"
			}
			c.formation = "web=1 worker=1"
			w := c.world()
			w.Desired.App.SleepAfter, w.Asked = nap, now
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
