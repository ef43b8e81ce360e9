package runtime

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"renga"
)

// When a release in its first minutes does not hold, so that the app is taken
// back to the one before.
const (
	// rescueAfter is how often in a row one of its dynos may crash.
	rescueAfter = 3
	// rescueRequests is how many requests its web dynos must have been asked
	// before it counts that more than half of them failed.
	rescueRequests = 20
	// watchPause is how long it may take until that is seen.
	watchPause = 5 * time.Second
)

// Rescue takes the app back from a release that does not hold.
type Rescue struct {
	Version int
	Reason  string
}

func (Rescue) step() {}

// Rescuer takes down which releases do not hold.
type Rescuer interface {
	// Rescue has the app taken back to its last good release before version, soon.
	// It is asked again for as long as that release serves and does not hold.
	Rescue(ctx context.Context, app renga.AppID, version int, reason string) error
}

// watched is the serving release in its first minutes, when the app asks for it;
// nil otherwise. A release that was made to rescue the app is let be: taking
// back what was taken back would never end.
func (w World) watched() *renga.ReleaseRecord {
	live := w.Desired.Live
	if w.Away || w.Gone || live == nil || w.Desired.Next != nil || live.By == renga.Platform ||
		live.Outcome.Status != renga.Succeeded || !w.Desired.App.FeatureOn(renga.RollbackOnCrash) ||
		w.Now.Sub(live.Outcome.At) > w.WatchWindow {
		return nil
	}
	return live
}

// watchLive takes a watched release back that does not hold. Nobody wakes us
// for failing requests, so it looks again soon.
func (p *planner) watchLive() {
	live := p.watched()
	if live == nil {
		return
	}
	p.due(p.Now.Add(watchPause))
	if reason, _ := p.broken(p.live, live.Outcome.At); reason != "" {
		p.steps = append(p.steps, Rescue{live.Version, reason})
	}
}

// broken says why a release of which dynos crash after a time, or fail, does not
// hold, "" when it does; and which instance shows it, if one does.
func (p *planner) broken(dynos []view, since time.Time) (reason, instance string) {
	for _, v := range dynos {
		if v.exited != nil && v.exited.FinishedAt.After(since) && crashes(v.exited.Instance) >= rescueAfter {
			return fmt.Sprintf("%s crashed %d times in a row: %s", v.name, rescueAfter, v.exited.Reason), v.exited.ID
		}
	}
	if t := p.Tally; t.Requests >= rescueRequests && t.Failed > t.Requests/2 {
		return fmt.Sprintf("%d of its first %d requests failed with a status of 500 or above", t.Failed, t.Requests), ""
	}
	return "", ""
}

// tally sums up what became of the requests to the web dynos of the release that
// is judged. When a canary takes over it begins anew.
func (w *worker) tally(world World) renga.Tally {
	var sum renga.Tally
	canary := world.canary()
	judged := cmp.Or(canary, world.watched())
	if judged == nil {
		return sum
	}
	counted := map[string]renga.Tally{}
	for _, i := range world.Instances {
		if i.Type != renga.Web || i.Release != judged.Version {
			continue
		}
		one := w.m.rt.Tally(w.app, i.Dyno)
		counted[i.Dyno] = one
		if before := w.tallied[i.Dyno]; canary == nil {
			one.Requests, one.Failed = one.Requests-before.Requests, one.Failed-before.Failed
		}
		sum.Requests += one.Requests
		sum.Failed += one.Failed
	}
	if canary != nil {
		w.tallied = counted
	}
	return sum
}

// rescue has the app taken back. Once it is, the worker is woken.
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
