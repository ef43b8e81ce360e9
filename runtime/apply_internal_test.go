package runtime

import (
	"strings"
	"testing"

	"renga"
	"renga/runtime/plan"
)

// unknown is a step that nobody knows how to do.
type unknown struct{ plan.Step }

func TestAStepThatNobodyDoesIsNoSilence(t *testing.T) {
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "unknown") {
			t.Errorf("it says %q", said)
		}
	}()
	w := newWorker(New(Options{}, nil, nil, nil, nil), "app")
	w.routing.routed = &renga.Route{} // the router knows
	_ = w.apply(t.Context(), t.Context(), plan.State{}, plan.Plan{Steps: []plan.Step{unknown{}}})
	t.Error("a step was left out, and nobody was told")
}
