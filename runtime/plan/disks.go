package plan

import (
	"slices"

	"renga"
	"renga/runtime/engine"
)

// A disk that is not shared is written by one dyno alone, with preboot or without:
// a dyno that has one starts only when nothing is left that might write to it, be
// it of another release, of another process type, or one that a Renga before this
// one was about to start. So the release that serves gives way to the pending one,
// which asks for that as late as it can: when its other dynos are up. Meanwhile
// requests wait, as for any app whose web dynos are starting. What fails then is
// met as ever: the release before starts its dyno again.

// share tells whether two lists of volumes have one in common.
func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(volume string) bool { return slices.Contains(b, volume) })
}

// writesAlone tells whether a release has a dyno that has a disk for itself.
func writesAlone(r renga.ReleaseRecord) bool {
	for t := range r.Images {
		if len(renga.Alone(r.Mounts, t)) > 0 {
			return true
		}
	}
	return false
}

// quantity is how many dynos of a process type there are: one of those that write
// alone, whatever the formation said before they did.
func (st State) quantity(r renga.ReleaseRecord, t renga.ProcessType) int {
	n := st.Desired.Formation[t].Quantity
	if len(renga.Alone(r.Mounts, t)) > 0 {
		n = min(n, 1)
	}
	return n
}

// taken tells whether something might write to a disk that the slot's dyno is to
// write alone: an instance that has not ended, or a start.
func (p *planner) taken(v view) bool {
	if len(v.alone) == 0 {
		return false
	}
	for _, a := range p.Starts {
		if a.Busy && share(a.Alone, v.alone) {
			return true
		}
	}
	return share(p.begunAlone, v.alone) || slices.ContainsFunc(p.Instances, func(i Seen) bool {
		return i.State != engine.Exited && share(i.Alone, v.alone)
	})
}

// inTheWay tells whether an instance has a disk that a slot's dyno is to write
// alone, so that it is not kept for anything else.
func (p *planner) inTheWay(i engine.Instance) bool {
	return len(i.Alone) > 0 && slices.ContainsFunc(slices.Concat(p.live, p.next), func(v view) bool {
		return share(i.Alone, v.alone)
	})
}

// givesWay tells whether a dyno of the serving release ends now, so that the
// pending one's has its disk.
func (p *planner) givesWay(v view) bool {
	next := p.Desired.Next
	if len(v.alone) == 0 || p.Away || next == nil || v.release.Version == next.Version || !mayRun(*next) {
		return false
	}
	return slices.ContainsFunc(p.next, func(n view) bool { return share(n.alone, v.alone) && p.isDue(n) })
}

// isDue tells whether it is a pending dyno's turn: of one that wants the disk of a
// serving one, once the others are up; and then it stays its turn.
func (p *planner) isDue(n view) bool {
	if !slices.ContainsFunc(p.live, func(v view) bool { return share(n.alone, v.alone) }) {
		return true
	}
	begun := n.alive != nil || n.exited != nil || n.attempt.Busy || n.attempt.Failed > 0
	return begun || !slices.ContainsFunc(p.next, func(v view) bool { return len(v.alone) == 0 && !v.up() })
}
