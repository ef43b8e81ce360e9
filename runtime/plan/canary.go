package plan

import (
	"slices"
	"time"

	"renga"
)

// A canary is a pending release that does not take over at once when all of its
// dynos are up: for a time they are asked some of the requests, beside those of
// the release that serves. When the time is over and it has held, it takes over
// as any other. That the time runs, and until when, is in the release's outcome,
// so that a start in the middle goes on with what is left of it.

// canary is the pending release while it is being tried; nil otherwise.
func (st State) canary() *renga.ReleaseRecord {
	live, next := st.releases()
	if live == nil || next == nil || next.Outcome.CanaryUntil.IsZero() || writesAlone(*next) {
		return nil
	}
	return next
}

// mustProve tells whether the pending release has yet to hold as a canary
// before it takes over. There is nothing to try it against where only one of the
// two has web dynos, or where not both can be up at once.
func (p *planner) mustProve() bool {
	next := p.Desired.Next
	return next.Canary.On() && !writesAlone(*next) && hasWeb(p.live) && hasWeb(p.next) && !p.proven(*next)
}

// proven tells whether a canary's time is over. When the store is away, which
// might know better, it is not.
func (p *planner) proven(next renga.ReleaseRecord) bool {
	until := next.Outcome.CanaryUntil
	return !until.IsZero() && !p.Away && !until.After(p.Now)
}

func hasWeb(vs []view) bool {
	return slices.ContainsFunc(vs, func(v view) bool { return v.typ == renga.Web })
}

// proceed is what follows once all dynos of the pending release are up.
func (p *planner) proceed(next renga.ReleaseRecord) {
	switch {
	case !p.mustProve():
		p.steps = append(p.steps, Finish{Version: next.Version, Status: renga.Succeeded})
	case next.Outcome.CanaryUntil.IsZero():
		p.steps = append(p.steps, Mark{next.Version, next.Outcome.Phase, next.Canary})
	default:
		p.lookAgain(next.Outcome.CanaryUntil)
	}
}

// judgeCanary tells whether a canary does not hold: its dynos are started again
// when they crash, and it is judged as a release that has just taken over is.
func (p *planner) judgeCanary(next renga.ReleaseRecord) (Finish, bool) {
	p.lookAgain(p.Now.Add(checkPause))
	f := Finish{Version: next.Version, Status: renga.Failed}
	if reason, instance := p.broken(p.next, time.Time{}); reason != "" {
		f.Reason, f.Instance = "The canary failed: "+reason, instance
		return f, true
	}
	for _, v := range p.next {
		if reason := v.unstartable(); reason != "" {
			f.Reason = "The canary failed: " + reason
			return f, true
		}
	}
	return f, false
}
