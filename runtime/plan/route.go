package plan

import (
	"cmp"
	"slices"
	"strings"

	"renga"
	"renga/runtime/engine"
)

// stops lists what no slot keeps. Nothing is stopped on a remembered wish.
func (p *planner) stops() []Step {
	if p.Away {
		return nil
	}
	p.spareWeb()
	var steps []Step
	for _, i := range p.Instances {
		coming := i.State == engine.Created && p.Starts[StartKey(i.Name, i.Release)].Busy
		if p.keep[i.ID] || coming || i.Stopping || i.Killing {
			continue
		}
		if !p.passed(i.NotBefore) {
			p.lookAgain(i.NotBefore)
			continue
		}
		stop := Stop{Instance: i.Instance, Drain: i.Type == renga.Web && i.State == engine.Running}
		if i.Scheduled() && i.State == engine.Exited {
			stop.Why = p.whyEnded(i)
		}
		steps = append(steps, stop)
	}
	return steps
}

// spareWeb keeps web dynos that nobody wants any more as long as none of those
// that are wanted answers: as many as are wanted, the newest first.
func (p *planner) spareWeb() {
	wanted := p.webWanted()
	if wanted == 0 || !p.preboots() || p.asleep() {
		return
	}
	var spare []Seen
	for _, i := range p.Instances {
		if i.Type != renga.Web || !i.up() || !p.mayServe(i.Instance) {
			continue
		}
		if p.keep[i.ID] {
			return
		}
		if p.inTheWay(i.Instance) {
			continue
		}
		spare = append(spare, i)
	}
	slices.SortFunc(spare, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(b.Release, a.Release), byName(a, b))
	})
	for _, i := range spare[:min(wanted, len(spare))] {
		p.keep[i.ID] = true
	}
}

// webWanted is how many web dynos the serving release is to have.
func (p *planner) webWanted() int {
	if p.serving == nil {
		return 0
	}
	if _, ok := p.serving.Images[renga.Web]; !ok {
		return 0
	}
	return p.quantity(*p.serving, renga.Web)
}

// mayServe tells whether an instance may be asked at all: a pending release's
// may not before all of it is up, and one that must never run may not at all.
func (p *planner) mayServe(i engine.Instance) bool {
	next := p.Desired.Next
	if i.Release == p.Desired.Barred {
		return false
	}
	return next == nil || i.Release != next.Version || p.serving == nil || p.serving.Version == next.Version
}

// route is what the router is to know, given what is about to be stopped.
func (p *planner) route(stops []Step) renga.Route {
	if p.Gone {
		return renga.Route{App: p.App}
	}
	app := p.Desired.App
	r := renga.Route{App: p.App, Name: app.Name, Hosts: p.hosts(), Maintenance: app.Maintenance}
	if p.serving != nil {
		r.Pages = p.serving.Pages
	}
	if p.fallingAsleep || p.asleep() {
		r.Idle = renga.IdleAsleep
		return r
	}
	serving, canary := p.servers(stops)
	r.Targets = targets(serving)
	if len(canary) > 0 {
		r.Canary, r.Percent = targets(canary), p.Desired.Next.Canary.Percent
	}
	if len(r.Targets) == 0 {
		r.Idle = p.idle()
	}
	return r
}

func targets(dynos []Seen) []renga.Target {
	var all []renga.Target
	for _, i := range dynos {
		all = append(all, renga.Target{ID: i.Dyno, Dyno: i.Name, Addr: i.Addr})
	}
	return all
}

func (p *planner) hosts() []string {
	var hosts []string
	if p.Domain != "" {
		hosts = append(hosts, strings.ToLower(p.Desired.App.Name+"."+p.Domain))
	}
	for _, h := range p.Desired.Hosts {
		hosts = append(hosts, strings.ToLower(h))
	}
	return hosts
}

// servers lists the web dynos to ask: those of the serving release, and those of
// one that is tried beside it. If the serving one has none it is any that may
// serve, which is better than nothing.
func (p *planner) servers(stops []Step) (serving, canary []Seen) {
	going := map[string]bool{}
	for _, s := range stops {
		going[s.(Stop).Instance.ID] = true
	}
	var others []Seen
	tried := p.canary()
	for _, i := range p.Instances {
		switch {
		case i.Type != renga.Web || !i.up() || going[i.ID] || p.serving == nil || p.webWanted() == 0:
		case i.Release == p.serving.Version:
			serving = append(serving, i)
		case tried != nil && i.Release == tried.Version:
			canary = append(canary, i)
		case p.mayServe(i.Instance):
			others = append(others, i)
		}
	}
	if len(serving) == 0 {
		serving, canary = append(others, canary...), nil
	}
	slices.SortFunc(serving, byName)
	slices.SortFunc(canary, byName)
	return serving, canary
}

// byName orders instances the way people count: web.2 before web.10.
func byName(a, b Seen) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

// idle says why nobody can be asked.
func (p *planner) idle() renga.Idle {
	live, next := p.releases()
	if (live == nil || len(live.Images) == 0) && (next == nil || len(next.Images) == 0) {
		return renga.IdleBlank
	}
	idle := renga.IdleScaled
	for _, v := range slices.Concat(p.live, p.next) {
		switch {
		case v.typ != renga.Web:
		case !v.crashed() || p.begun[v.key()]:
			return renga.IdleStarting
		default:
			idle = renga.IdleCrashed
		}
	}
	return idle
}

// crashed tells whether nothing is on its way for the slot.
func (v view) crashed() bool {
	return v.alive == nil && !v.attempt.Busy && (v.exited != nil || v.attempt.Failed > 0)
}
