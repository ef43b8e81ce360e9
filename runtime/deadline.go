package runtime

import (
	"context"
	"fmt"
	"time"

	"renga"
	"renga/runtime/engine"
)

// Each step of a deploy has a deadline of its own; docs/deploys.md lists them.
// What follows is the one for all of them together, so that a release has an
// end even when the engine keeps neither its word nor the caller's patience.

// lastCall is when the pending release must be up. The time that its release
// command may take and its time as a canary are no part of the limit, nor is
// that in which Renga did not run.
func (w World) lastCall(next renga.ReleaseRecord) time.Time {
	since := later(next.Outcome.At, w.Began)
	switch until := next.Outcome.CanaryUntil; {
	case !mayRun(next):
		since = since.Add(w.PhaseLimit)
	case until.After(since):
		since = until
	}
	return since.Add(w.DeployLimit)
}

// lapse says that the pending release has had its time, if that is so; else the
// plan looks again then.
func (p *planner) lapse(next renga.ReleaseRecord) (Finish, bool) {
	up := allUp(p.next) && mayRun(next)
	if up || p.DeployLimit <= 0 || !p.due(p.lastCall(next)) {
		return Finish{}, false
	}
	return p.lapsed(next, p.obstacle(next)), true
}

// lapsed is what becomes of a release for which something took too long. One
// whose command has not passed must never run.
func (w World) lapsed(next renga.ReleaseRecord, obstacle string) Finish {
	f := Finish{
		Version: next.Version, Status: renga.Failed,
		Reason: fmt.Sprintf("It was not up within %s: %s", w.DeployLimit, obstacle),
	}
	if !mayRun(next) {
		f.Phase = renga.PhaseFailed
	}
	return f
}

// obstacle says what the pending release waits for.
func (p *planner) obstacle(next renga.ReleaseRecord) string {
	if !mayRun(next) {
		return "its release command could not be started, or its end not be found out"
	}
	for _, v := range p.next {
		switch {
		case v.up():
		case v.alive != nil && v.alive.Health == engine.Untried:
			return fmt.Sprintf("the HEALTHCHECK of the image had neither passed nor failed in %s", v.name)
		case v.alive != nil:
			return v.name + " was starting"
		case v.attempt.Busy:
			return v.name + " was being started, which takes fetching the image and Docker's answers"
		case p.waits(v):
			return v.name + " waited for the dyno that it replaces to end"
		default:
			return v.name + " did not run"
		}
	}
	return "its dynos were not up"
}

// giveUp fails a pending release that has had its time while the engine cannot
// even be asked for its dynos.
func (w *worker) giveUp(ctx context.Context, world World) error {
	next, now := world.Desired.Next, w.m.opts.Now()
	if next == nil || world.Gone || world.Away || now.Before(world.lastCall(*next)) {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := w.finish(brief, world.lapsed(*next, "the engine could not be asked for its dynos"))
	return err
}
