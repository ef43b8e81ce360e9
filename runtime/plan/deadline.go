package plan

import (
	"fmt"
	"time"

	"renga"
	"renga/runtime/engine"
)

// Each step of a deploy has a deadline of its own; docs/deploys.md lists them.
// What follows is the one for all of them together, so that a release has an
// end even when the engine keeps neither its word nor the caller's patience.

// deadline is when the pending release must be up. The time that its release
// command may take and its time as a canary are no part of the limit, nor is
// that in which Renga did not run.
func (st State) deadline(next renga.ReleaseRecord) time.Time {
	since := Later(next.Outcome.At, st.Began)
	switch until := next.Outcome.CanaryUntil; {
	case !mayRun(next):
		since = since.Add(st.PhaseLimit)
	case until.After(since):
		since = until
	}
	return since.Add(st.DeployLimit)
}

// timedOut says that the pending release has had its time, if that is so.
func (p *planner) timedOut(next renga.ReleaseRecord) (Finish, bool) {
	up := allUp(p.next) && mayRun(next)
	if up || p.DeployLimit <= 0 {
		return Finish{}, false
	}
	if at := p.deadline(next); !p.passed(at) {
		p.lookAgain(at)
		return Finish{}, false
	}
	return p.timeOut(next, p.waitingFor(next)), true
}

// timeOut is what becomes of a release for which something took too long. One
// whose command has not passed must never run.
func (st State) timeOut(next renga.ReleaseRecord, obstacle string) Finish {
	f := Finish{
		Version: next.Version, Status: renga.Failed,
		Reason: fmt.Sprintf("It was not up within %s: %s", st.DeployLimit, obstacle),
	}
	if !mayRun(next) {
		f.Phase = renga.PhaseFailed
	}
	return f
}

// waitingFor says what the pending release waits for.
func (p *planner) waitingFor(next renga.ReleaseRecord) string {
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

// TooLate says that the pending release has had its time, if that is so, while the
// engine cannot even be asked for its dynos.
func (st State) TooLate(now time.Time) (Finish, bool) {
	next := st.Desired.Next
	if next == nil || st.Gone || st.Away || now.Before(st.deadline(*next)) {
		return Finish{}, false
	}
	return st.timeOut(*next, "the engine could not be asked for its dynos"), true
}
