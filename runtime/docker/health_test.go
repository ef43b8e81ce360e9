package docker_test

import (
	"fmt"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
)

// TestTheImagesOwnCheckIsMadeInWebDynos takes an image whose check always fails.
func TestTheImagesOwnCheckIsMadeInWebDynos(t *testing.T) {
	w := newFixture(t)
	s := w.spec("serve")
	if first := w.start(s); first.Health != engine.Untried {
		t.Errorf("at first it is %q", first.Health)
	}
	deadline := time.Now().Add(time.Minute)
	for in := w.list(s.App)[0]; in.Health != engine.Unhealthy; in = w.list(s.App)[0] {
		if time.Now().After(deadline) {
			t.Fatalf("it is %q and says %q", in.Health, in.HealthSaid)
		}
		time.Sleep(50 * time.Millisecond)
	}
	worker := w.spec("serve")
	worker.Type, worker.Port = renga.ProcessType("worker"), 0
	c := w.inspect(w.start(worker).ID)
	got := fmt.Sprint(c.Config.Healthcheck.Test)
	if got != "[NONE]" || c.State.Health != nil && c.State.Health.Status != "none" {
		t.Errorf("a worker's check is %s", got)
	}
}
