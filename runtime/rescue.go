package runtime

import (
	"context"
	"fmt"

	"renga"
	"renga/runtime/plan"
)

// Rescuer takes down which releases do not hold.
type Rescuer interface {
	// Rescue has the app taken back to its last good release before version, soon.
	// It is asked again for as long as that release serves and does not hold.
	Rescue(ctx context.Context, app renga.AppID, version int, reason string) error
}

// tally sums up what became of the requests to the web dynos of the release that
// is judged. When a canary takes over it begins anew.
func (w *worker) tally(state plan.State) renga.Tally {
	var sum renga.Tally
	judged, canary := state.Judged()
	if judged == nil {
		return sum
	}
	counted := map[string]renga.Tally{}
	for _, i := range state.Instances {
		if i.Type != renga.Web || i.Release != judged.Version {
			continue
		}
		one := w.m.rt.Tally(w.app, i.Dyno)
		counted[i.Dyno] = one
		if before := w.tallied[i.Dyno]; !canary {
			one.Requests, one.Failed = one.Requests-before.Requests, one.Failed-before.Failed
		}
		sum.Requests += one.Requests
		sum.Failed += one.Failed
	}
	if canary {
		w.tallied = counted
	}
	return sum
}

// rescue has the app taken back. Once it is, the app is looked at.
func (w *worker) rescue(ctx context.Context, r plan.Rescue) error {
	err := w.m.opts.Rescuer.Rescue(ctx, w.app, r.Version, r.Reason)
	w.m.stats.step("rescue", err)
	if err != nil {
		return fmt.Errorf("take back %s: %w", renga.VersionName(r.Version), err)
	}
	return nil
}

type noRescuer struct{}

func (noRescuer) Rescue(context.Context, renga.AppID, int, string) error { return nil }
