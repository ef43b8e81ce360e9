package plan

import (
	"cmp"
	"fmt"
	"time"

	"renga"
	"renga/runtime/engine"
)

// The release command is the release phase of Heroku's: a dyno release.N that
// runs once in a new release before any other dyno of it starts. That it never
// runs twice is kept by two things: the instance, which stays until the release
// is finished, and [Mark], which outlives the instance. A command that runs when
// a newer release supersedes its own is left to its end, for it may be in the
// middle of a migration; the newer one's waits for it.

// mayRun tells whether nothing of a release's phase is in the way of its dynos.
func mayRun(r renga.ReleaseRecord) bool {
	return !r.HasPhase() || r.Outcome.Phase == renga.PhasePassed
}

// keepPhases holds on to release commands that run, and to the end of the
// pending release's, which is all that tells how it went.
func (p *planner) keepPhases() {
	if p.Gone {
		return
	}
	for _, i := range p.Instances {
		if i.Type != renga.ReleaseType || i.State == engine.Created {
			continue
		}
		own := p.Desired.Next != nil && p.Desired.Next.Version == i.Release
		switch {
		case i.State == engine.Running && !p.askedToStop(i) && !p.overtime(i):
			p.keep[i.ID] = true
			p.lookAgain(p.phaseEnd(i))
		case i.State == engine.Exited && (own || i.Recording):
			p.keep[i.ID] = true
		}
	}
}

// askedToStop tells whether somebody had this release command stopped, or its
// release canceled, be it before it began: it is the only dyno of its name.
func (p *planner) askedToStop(i Seen) bool {
	return !p.Desired.Restarts[i.Name].IsZero()
}

// overtime tells whether a release command runs for too long.
func (p *planner) overtime(i Seen) bool {
	end := p.phaseEnd(i)
	return !end.IsZero() && p.passed(end)
}

// phaseEnd is when a release command must have ended; zero for never.
func (p *planner) phaseEnd(i Seen) time.Time {
	if p.PhaseLimit <= 0 {
		return time.Time{}
	}
	return i.StartedAt.Add(p.PhaseLimit)
}

// phasePassed brings a release's command to its end, and tells whether that was
// good.
func (p *planner) phasePassed(r renga.ReleaseRecord) bool {
	if mayRun(r) {
		return true
	}
	own, free := p.phases(r.Version)
	switch {
	case own != nil:
		p.judgePhase(r, *own)
	case r.Outcome.Phase == renga.PhaseBegun:
		p.failPhase(r, "The release command's dyno is gone, so nobody knows how it ended", "")
	case free:
		p.startPhase(r)
	}
	return false
}

// phases finds the dyno of a release's command; free tells whether none is in
// the way of starting it: an older release's that still runs, or leftovers.
func (p *planner) phases(version int) (own *Seen, free bool) {
	free = true
	for n := range p.Instances {
		i := &p.Instances[n]
		switch {
		case i.Type != renga.ReleaseType:
		case i.Release == version && i.State != engine.Created:
			own = better(own, i)
		case i.State != engine.Exited:
			free = false
		}
	}
	return own, free
}

// judgePhase says what a release command's dyno means for its release.
func (p *planner) judgePhase(r renga.ReleaseRecord, i Seen) {
	if r.Outcome.Phase == renga.PhaseNone {
		p.steps = append(p.steps, Mark{Version: r.Version, Phase: renga.PhaseBegun})
	}
	switch {
	case i.State == engine.Running && p.askedToStop(i):
		p.failPhase(r, "The release command was stopped", i.ID)
	case i.State == engine.Running && p.overtime(i):
		p.failPhase(r, fmt.Sprintf("The release command ran longer than %s", p.PhaseLimit), i.ID)
	case i.State == engine.Running || i.Recording:
	case i.OOMKilled, i.OverDisk:
		p.failPhase(r, "Release command: "+ExitReason(i.Instance), i.ID)
	case i.ExitCode != 0:
		p.failPhase(r, fmt.Sprintf("The release command exited with status %d", i.ExitCode), i.ID)
	default:
		p.steps = append(p.steps, Mark{Version: r.Version, Phase: renga.PhasePassed})
	}
}

func (p *planner) failPhase(r renga.ReleaseRecord, reason, instance string) {
	p.steps = append(p.steps, Finish{
		Version: r.Version, Status: renga.Failed, Phase: renga.PhaseFailed, Reason: reason, Instance: instance,
	})
}

// startPhase starts a release command, or gives the release up when that cannot
// be done.
func (p *planner) startPhase(r renga.ReleaseRecord) {
	v := p.phaseView(r)
	if f, failed := v.failure(); failed {
		p.failPhase(r, f.Reason, "")
		return
	}
	p.ensure(v)
}

// phaseView is the slot of a release's command.
func (st State) phaseView(r renga.ReleaseRecord) view {
	name := renga.DynoName(renga.ReleaseType, r.Version)
	return view{
		slot: slot{
			name: name, typ: renga.ReleaseType, release: &r,
			size: cmp.Or(st.Desired.Formation[renga.ReleaseType].Size, renga.DefaultSize),
		},
		attempt: st.Starts[StartKey(name, r.Version)],
	}
}

// phaseDynos lists the release commands that run.
func (st State) phaseDynos() []renga.Dyno {
	var all []renga.Dyno
	for _, i := range st.Instances {
		if i.Type != renga.ReleaseType || i.State != engine.Running {
			continue
		}
		d := i.dyno()
		d.State, d.Since = renga.Up, i.StartedAt
		all = append(all, d)
	}
	return all
}
