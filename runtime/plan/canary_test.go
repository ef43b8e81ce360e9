package plan_test

import (
	"testing"
	"time"

	"renga"
	"renga/runtime/plan"
)

func TestTheCanaryServesWhenTheOtherCannot(t *testing.T) {
	w := situation{live: "v2 web=a", next: "v3 web=b", formation: "web=1", instances: []string{"web.1 v2 exited", "web.1 v3 up"}}.state()
	w.Desired.Next.Canary, w.Desired.Next.Outcome.CanaryUntil = renga.Canary{Percent: 20, For: 5 * time.Minute}, now.Add(time.Minute)
	p := w.Plan()
	if got := asked(p.Route); got != "i2 " || len(p.Route.Canary) > 0 {
		t.Errorf("route is %+v", p.Route)
	}
	for _, s := range p.Steps {
		if _, ok := s.(plan.Finish); ok {
			t.Errorf("it is over: %+v", s)
		}
	}
}
