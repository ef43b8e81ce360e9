package runtime

import (
	"context"
	"fmt"
	"slices"

	"renga"
)

// rescueAfter is how often in a row a dyno of a release in its first minutes may
// crash before the app is taken back to the release before.
const rescueAfter = 3

// Rescue takes the app back from a release that does not hold.
type Rescue struct {
	Version int
	Reason  string
}

func (Rescue) step() {}

// Rescuer takes apps back to their last good release.
type Rescuer interface {
	// Rescue makes a release out of the last good one before version. It does
	// nothing when version is no longer the newest, or nothing good came before.
	Rescue(ctx context.Context, app renga.AppID, version int, reason string) error
}

// watchLive watches the serving release in its first minutes, when the app asks
// for it. A release that was made to rescue the app is let be: taking back what
// was taken back would never end.
func (p *planner) watchLive() {
	live := p.Desired.Live
	if p.Away || p.Gone || live == nil || p.Desired.Next != nil || live.By == renga.Platform ||
		live.Outcome.Status != renga.Succeeded || !p.Desired.App.FeatureOn(renga.RollbackOnCrash) ||
		p.Now.Sub(live.Outcome.At) > p.WatchWindow {
		return
	}
	broken := slices.IndexFunc(p.live, func(v view) bool {
		return v.exited != nil && v.exited.FinishedAt.After(live.Outcome.At) && crashes(v.exited.Instance) >= rescueAfter
	})
	if broken >= 0 {
		v := p.live[broken]
		p.steps = append(p.steps, Rescue{live.Version, fmt.Sprintf("%s crashed %d times in a row: %s", v.name, rescueAfter, v.exited.Reason)})
	}
}

// rescue has the app taken back. The releaser wakes the worker by itself.
func (w *worker) rescue(ctx context.Context, r Rescue) error {
	err := w.m.opts.Rescuer.Rescue(ctx, w.app, r.Version, r.Reason)
	w.m.stats.step("rescue", err)
	if err != nil {
		return fmt.Errorf("take back %s: %w", renga.VersionName(r.Version), err)
	}
	return nil
}

type noRescuer struct{}

func (noRescuer) Rescue(context.Context, renga.AppID, int, string) error { return nil }
