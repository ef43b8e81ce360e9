package plan

import (
	"cmp"
	"slices"
	"time"

	"renga"
	"renga/runtime/engine"
)

// slot is one dyno that a release is to have.
type slot struct {
	name    string
	typ     renga.ProcessType
	size    string
	release *renga.ReleaseRecord
	alone   []string // the volumes that it writes alone
	// after is the newest restart that concerns the dyno.
	after time.Time
	// rolls says that size and restarts matter. They do not for the serving
	// release while another is on its way to replace it anyway, and soon.
	rolls bool
}

func (s slot) key() string { return StartKey(s.name, s.release.Version) }

// fresh tells whether i is what the slot wants.
func (s slot) fresh(i engine.Instance) bool {
	if i.Name != s.name || i.Release != s.release.Version {
		return false
	}
	return !s.rolls || i.Size == s.size && !i.CreatedAt.Before(s.after)
}

// stale tells whether i did what the slot wants, and is to be replaced. A dyno
// of a newer release is not stale: that release failed or was superseded.
func (s slot) stale(i engine.Instance) bool {
	return i.Name == s.name && i.Release <= s.release.Version && !s.fresh(i)
}

// view is a slot with all that is there for it.
type view struct {
	slot
	alive   *Seen // the best fresh instance that runs
	exited  *Seen // the newest fresh one that ended
	stale   *Seen // the best one that it replaces
	attempt Attempt
}

// up tells whether the slot's dyno does what it is for.
func (v view) up() bool { return v.alive != nil && v.alive.up() }

func allUp(vs []view) bool {
	return !slices.ContainsFunc(vs, func(v view) bool { return !v.up() })
}

// views lists a release's slots, web first; none for nil.
func (st State) views(r *renga.ReleaseRecord) []view {
	if r == nil {
		return nil
	}
	pending := st.Desired.Next
	replaced := pending != nil && pending.Version != r.Version && st.canary() == nil
	var all []view
	for _, t := range st.Desired.Formation.Types() {
		if _, ok := r.Images[t]; !ok || t == renga.ReleaseType {
			continue
		}
		scale, alone := st.Desired.Formation[t], renga.Alone(r.Mounts, t)
		for n := range st.quantity(*r, t) {
			name := renga.DynoName(t, n+1)
			all = append(all, st.view(slot{
				name: name, typ: t, size: cmp.Or(scale.Size, renga.DefaultSize), release: r, alone: alone,
				after: st.Desired.RestartedAfter(name, t), rolls: !replaced && !st.Away,
			}))
		}
	}
	return all
}

func (st State) view(s slot) view {
	v := view{slot: s, attempt: st.Starts[s.key()]}
	if !v.attempt.Busy && v.attempt.Last.Before(s.after) {
		v.attempt = Attempt{} // a restart forgives
	}
	for n := range st.Instances {
		i := &st.Instances[n]
		switch {
		case i.Stopping || i.State == engine.Created:
		case s.fresh(i.Instance) && i.State == engine.Exited:
			v.exited = better(v.exited, i)
		case s.fresh(i.Instance):
			v.alive = better(v.alive, i)
		case s.stale(i.Instance) && i.State == engine.Running && st.replaces(s, i.Instance):
			v.stale = better(v.stale, i)
		}
	}
	return v
}

// replaces tells whether a stale instance is this slot's to replace: everything
// older is the serving release's; a pending release replaces only its own.
func (st State) replaces(s slot, i engine.Instance) bool {
	return st.Desired.Next == nil || s.release.Version != st.Desired.Next.Version || i.Release == s.release.Version
}

// better gives the one to keep: one that is up, else the newest.
func better(a, b *Seen) *Seen {
	if a == nil {
		return b
	}
	if a.up() != b.up() {
		if a.up() {
			return a
		}
		return b
	}
	if c := cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)); c > 0 {
		return b
	}
	return a
}

// Wants tells whether a start is of a dyno that is wanted.
func (st State) Wants(key string) bool {
	live, next := st.releases()
	if d := st.Desired; d.Next != nil && st.phaseView(*d.Next).key() == key {
		return true
	}
	return !st.asleep() && slices.ContainsFunc(slices.Concat(st.views(live), st.views(next)), func(v view) bool { return v.key() == key })
}
