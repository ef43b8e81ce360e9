package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/plan"
)

func TestAReleaseThatKeepsCrashingInItsFirstMinutesIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		situation
		change func(*plan.State)
		want   bool
	}{
		"third crash": {situation: situation{instances: []string{"web.1 v2 exited crashes=2"}}, want: true},
		"most requests failed": {situation: situation{instances: []string{"web.1 v2 up"}},
			change: func(w *plan.State) { w.Tally = renga.Tally{Requests: 20, Failed: 11} }, want: true},
		"half of them failed": {situation: situation{instances: []string{"web.1 v2 up"}},
			change: func(w *plan.State) { w.Tally = renga.Tally{Requests: 20, Failed: 10} }},
		"too few to tell": {situation: situation{instances: []string{"web.1 v2 up"}},
			change: func(w *plan.State) { w.Tally = renga.Tally{Requests: 19, Failed: 19} }},
		"second crash": {situation: situation{instances: []string{"web.1 v2 exited crashes=1"}}},
		"another dyno is well": {situation: situation{instances: []string{"web.1 v2 up", "web.2 v2 exited crashes=2"},
			formation: "web=2"}, want: true},
		"it held for long": {situation: situation{instances: []string{"web.1 v2 exited crashes=2"}}, change: func(w *plan.State) {
			w.Desired.Live.Outcome.At = now.Add(-10 * time.Minute)
		}},
		"switched off": {situation: situation{instances: []string{"web.1 v2 exited crashes=2"}}, change: func(w *plan.State) {
			w.Desired.App.Features = map[string]bool{renga.RollbackOnCrash: false}
		}},
		"it is a rescue itself": {situation: situation{instances: []string{"web.1 v2 exited crashes=2"}}, change: func(w *plan.State) {
			w.Desired.Live.By = renga.Platform
		}},
		"another is on its way": {situation: situation{next: "v3 web", instances: []string{"web.1 v2 exited crashes=2"}}},
		"the store is away":     {situation: situation{away: true, instances: []string{"web.1 v2 exited crashes=2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.live = "v2 web"
			if c.formation == "" {
				c.formation = "web=1"
			}
			w := c.state()
			w.WatchWindow, w.Desired.Live.Outcome.At = 5*time.Minute, now.Add(-time.Minute)
			if c.change != nil {
				c.change(&w)
			}
			steps := w.Plan().Steps
			i := slices.IndexFunc(steps, func(s plan.Step) bool { _, ok := s.(plan.Rescue); return ok })
			if (i >= 0) != c.want {
				t.Fatalf("rescued is %v, want %v", i >= 0, c.want)
			}
			if i < 0 {
				return
			}
			if r := steps[i].(plan.Rescue); r.Version != 2 || !strings.Contains(r.Reason,
				"crashed 3 times in a row: Process exited with status 1") &&
				r.Reason != "11 of its first 20 requests failed with a status of 500 or above" {
				t.Errorf("rescue is %+v", r)
			}
		})
	}
}
