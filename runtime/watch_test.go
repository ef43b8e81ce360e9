package runtime_test

import (
	"context"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
)

// slowList is an engine that takes its time to hand a list out.
type slowList struct{ *enginetest.Memory }

func (e slowList) List(ctx context.Context, app renga.AppID) ([]engine.Instance, error) {
	all, err := e.Memory.List(ctx, app)
	time.Sleep(400 * time.Millisecond)
	return all, err
}

// TestADynoThatStartsDuringALookIsFollowedOnce: the look's list is older than the
// dyno, which is not gone for that.
func TestADynoThatStartsDuringALookIsFollowedOnce(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.engine = slowList{h.Memory}
		h.run()
		h.scale("worker=1")
		h.push(2, "worker=latecomer")
		for range 20 { // one of the looks is under way when the start ends
			h.after(300 * time.Millisecond)
			h.m.Reconcile(app)
		}
		h.scale("worker=0")
		h.after(time.Minute)
		lines := n.said("worker.1")
		for _, line := range []string{"app[worker.1]: one", "app[worker.1]: bye", "heroku[worker.1]: Process exited with status 143"} {
			if got := count(lines, line); got != 1 {
				t.Errorf("%q was kept %d times: %q", line, got, lines)
			}
		}
	})
}
