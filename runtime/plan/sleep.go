package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"renga"
)

// An app falls asleep in three steps, each of which a request may still undo:
// the router is told that it sleeps, so that no request reaches its dynos any
// more; if none had come until then, [FallAsleep] writes down that it sleeps; and from
// that on nothing of its formation is wanted, so that the dynos are drained and
// stopped like those of any that is scaled down. Whatever dies in between, no
// request is lost: it has claimed a dyno, which is then drained, or it waits, and
// wakes the app up.

// FallAsleep writes down that the app sleeps, unless a request came meanwhile.
type FallAsleep struct{}

// WakeUp writes down that the app is awake.
type WakeUp struct{}

func (FallAsleep) step() {}
func (WakeUp) step()     {}

// asleep tells whether nothing of the formation is to run.
func (st State) asleep() bool { return !st.Gone && !st.Requested && st.Desired.Asleep() }

// sleepsAt is when the app falls asleep: once nobody has asked for it for long
// enough. It may not while anything of it is on its way.
func (p *planner) sleepsAt() (at time.Time, may bool) {
	after, d := p.Desired.App.SleepAfter, p.Desired
	if after == 0 || p.Gone || p.Away || p.Requested || d.Next != nil || !d.AsleepSince.IsZero() || p.webWanted() == 0 {
		return at, false
	}
	if slices.ContainsFunc(p.live, func(v view) bool { return !v.up() && !v.crashed() }) {
		return at, false
	}
	return Later(p.IdleSince, d.TouchedAt()).Add(after), true
}

// sleepSteps plans the step of an app that falls asleep or wakes up.
func (p *planner) sleepSteps() []Step {
	switch {
	case p.fallingAsleep:
		return []Step{FallAsleep{}}
	case !p.Gone && !p.Away && !p.asleep() && !p.Desired.AsleepSince.IsZero():
		return []Step{WakeUp{}}
	}
	return nil
}

// Later is the later of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sleepingDynos lists the dynos of an app that sleeps: one for each that it is to
// have when it wakes up.
func (st State) sleepingDynos() []renga.Dyno {
	var all []renga.Dyno
	for _, v := range st.views(st.Desired.Live) {
		since := st.Desired.AsleepSince
		all = append(all, renga.Dyno{
			ID:  uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %s %d", st.App, v.name, since.UnixNano())).String(),
			App: st.App, Name: v.name, Type: v.typ, Size: v.size, Release: v.release.Version,
			Command: v.release.Images[v.typ].Command, State: renga.Asleep, Since: since, Created: since,
		})
	}
	return all
}

// LiveNames are those of the dynos that the live release is to have.
func (st State) LiveNames() []string {
	var names []string
	for _, v := range st.views(st.Desired.Live) {
		names = append(names, v.name)
	}
	return names
}
