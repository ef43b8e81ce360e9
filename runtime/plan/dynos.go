package plan

import (
	"fmt"
	"slices"

	"renga"
	"renga/runtime/engine"
)

// Dynos lists the app's dynos as users see them: one per slot of the serving
// release, and of the pending one where that has more. Of an app that is on its
// way out it lists what is left. Release commands and one-off dynos are listed while they are there.
func (st State) Dynos() []renga.Dyno {
	if st.Gone {
		return st.leftovers()
	}
	if st.asleep() {
		return slices.Concat(st.sleepingDynos(), st.phaseDynos(), st.oneOffs())
	}
	live, next := st.releases()
	var all []renga.Dyno
	taken := map[string]bool{}
	for _, r := range []*renga.ReleaseRecord{live, next} {
		for _, v := range st.views(r) {
			if d, ok := v.dyno(); ok && !taken[v.name] {
				taken[v.name] = true
				all = append(all, d)
			}
		}
	}
	return append(append(all, st.phaseDynos()...), st.oneOffs()...)
}

func (st State) leftovers() []renga.Dyno {
	var all []renga.Dyno
	for _, i := range st.Instances {
		d := i.dyno()
		d.State, d.Since = renga.Down, i.StartedAt
		all = append(all, d)
	}
	return all
}

// dyno is what is there for the slot; it reports false when nothing is.
func (v view) dyno() (renga.Dyno, bool) {
	a := v.attempt
	d := renga.Dyno{
		ID: a.Dyno, App: v.release.App, Name: v.name, Type: v.typ, Size: v.size,
		Release: v.release.Version, Command: v.release.Images[v.typ].Command, Created: a.Since,
	}
	switch {
	case v.alive != nil:
		return v.alive.dyno(), true
	case a.Busy:
		d.State, d.Since = renga.Starting, a.Since
	case v.exited != nil:
		return v.exited.dyno(), true
	case a.Failed > 0:
		d.State, d.Since, d.Reason = renga.Crashed, a.Last, a.Reason
	case v.stale != nil:
		return v.stale.dyno(), true
	default:
		return renga.Dyno{}, false
	}
	return d, true
}

// dyno is an instance as users see it.
func (s Seen) dyno() renga.Dyno {
	d := renga.Dyno{
		ID: s.Dyno, App: s.App, Name: s.Name, Type: s.Type, Size: s.Size,
		Release: s.Release, Command: s.Command, Created: s.CreatedAt,
	}
	switch {
	case s.State == engine.Exited:
		d.State, d.Since, d.Reason = renga.Crashed, s.FinishedAt, s.Reason
		d.Exit = &renga.Exit{Code: s.ExitCode, OutOfMemory: s.OOMKilled, LastLines: s.LastLines}
	case s.up():
		d.State, d.Since = renga.Up, s.ReadyAt
	default:
		d.State, d.Since, d.Reason = renga.Starting, s.CreatedAt, s.Reason
	}
	return d
}

// Ended is an instance that has ended, as users see it; why says what it did not
// do well.
func Ended(i engine.Instance, why string) renga.Dyno {
	d := Seen{Instance: i, Reason: why}.dyno()
	d.Exit.LastLines = nil
	return d
}

// ExitReason says how an instance ended, in Heroku's words where there are any.
func ExitReason(i engine.Instance) string {
	if i.OverDisk {
		return fmt.Sprintf("Disk quota exceeded: the dyno had more on its disk than %s allows and was killed (R20)", i.Size)
	}
	if i.OOMKilled {
		return fmt.Sprintf("Memory quota exceeded: the process used more than %s allows and was killed (R15)", i.Size)
	}
	return fmt.Sprintf("Process exited with status %d", i.ExitCode)
}
