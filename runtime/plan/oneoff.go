package plan

import (
	"fmt"
	"time"

	"renga"
	"renga/runtime/engine"
)

// keepOneOffs holds on to the one-off dynos that may go on. An attached one
// ends with its client, and so with the process that had it: it is found here
// without anybody who holds it. A scheduled one is ended first, and removed
// once it is written down how it ended.
func (p *planner) keepOneOffs() {
	if p.Gone {
		return
	}
	for _, i := range p.Instances {
		if !i.OneOff() {
			continue
		}
		overdue := p.overdue(i)
		if !overdue {
			p.lookAgain(i.Until)
		}
		switch {
		case overdue && i.Scheduled() && i.State == engine.Running:
			p.keep[i.ID] = true
			if p.Away || i.Killing {
				continue
			}
			p.lookAgain(i.NotBefore)
			if p.passed(i.NotBefore) {
				p.steps = append(p.steps, Kill{i.Instance, true})
			}
		case !overdue && (i.Reserved || i.State == engine.Running && !i.Attached):
			p.keep[i.ID] = true
		}
	}
}

// overdue tells whether a one-off dyno must end.
func (p *planner) overdue(i Seen) bool {
	return p.askedToStop(i) || !i.Until.IsZero() && p.passed(i.Until)
}

// oneOffs lists the one-off dynos that have not ended.
func (st State) oneOffs() []renga.Dyno {
	var all []renga.Dyno
	for _, i := range st.Instances {
		if i.OneOff() && i.State != engine.Exited && !i.Stopping {
			all = append(all, i.OneOffDyno())
		}
	}
	return all
}

// OneOffDyno is a one-off dyno that has not ended.
func (s Seen) OneOffDyno() renga.Dyno {
	d := s.dyno()
	d.State, d.Since, d.Reason = renga.Starting, s.CreatedAt, ""
	if s.State == engine.Running {
		d.State, d.Since = renga.Up, s.StartedAt
	}
	return d
}

// whyEnded says why a one-off dyno did not end well; empty when it did.
func (p *planner) whyEnded(i Seen) string {
	switch {
	case p.askedToStop(i) && !p.Desired.Restarts[i.Name].After(i.FinishedAt):
		return "It was stopped."
	case !i.FinishedAt.Before(i.Until):
		return fmt.Sprintf("It had not ended after %s, and was stopped.", i.Until.Sub(i.CreatedAt).Round(time.Second))
	case i.ExitCode != 0 || i.OOMKilled:
		return ExitReason(i.Instance) + "."
	}
	return ""
}
