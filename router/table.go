package router

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"renga"
)

// table finds apps by host. It never changes: each change makes a new one, so
// requests read it without a lock.
type table struct {
	hosts map[string]*app // by key
}

// app is one app's route. It never changes either, but for its counts.
type app struct {
	*traffic
	route   renga.Route
	targets []*target // all, the canary's last
	canary  []*target
	changed chan struct{} // closed when a successor is in the table
	wokenUp atomic.Bool   // WakeUp was called
	// heldUntil is when requests no longer wait for a successor, in unix
	// nanoseconds; zero when they need not.
	heldUntil atomic.Int64
}

// traffic is the state of an app's requests, which successive routes share.
type traffic struct {
	waiting atomic.Int64 // requests held until it has started
	last    atomic.Int64 // when a request ended last, in unix nanoseconds
}

// Route replaces one app's route at once; a route without hosts removes the
// app. A target with the id and address of one before is the same target: it
// keeps its connections and its count of requests in flight. A host in the
// routes of several apps goes to the app of the latest call.
func (rt *Router) Route(r renga.Route) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	old := rt.apps[r.App]
	next := rt.nextLocked(r, old)
	rt.table.Store(rt.table.Load().replace(old, next))
	// Only now, for a request that finds its target retired reads the table again
	// and must find the new one.
	rt.retireLocked(old, next)
	if old != nil {
		close(old.changed)
	}
	rt.sweepLocked()
}

// Serves tells whether requests for host go to an app. Case and port do not
// matter.
func (rt *Router) Serves(host string) bool { return rt.lookup(renga.Hostname(host)) != nil }

func (rt *Router) lookup(host string) *app { return rt.table.Load().lookup(host) }

// longestHost is the length of the longest host name; no wildcard covers a
// longer one.
const longestHost = 253

// lookup finds the app of a host: by the very name, or else by the longest
// wildcard.
func (t *table) lookup(host string) *app {
	if exact := t.hosts[host]; exact != nil || len(host) > longestHost {
		return exact
	}
	for i := range len(host) {
		if host[i] != '.' {
			continue
		}
		if below := t.hosts[host[i:]]; below != nil {
			return below
		}
	}
	return nil
}

// key is the key of a route's host in the table. That of a wildcard,
// "*.example.com", begins with the dot, like the end of a name that it covers.
func key(host string) string { return strings.TrimPrefix(renga.Hostname(host), "*") }

// nextLocked makes r's entry; nil if r has no hosts.
func (rt *Router) nextLocked(r renga.Route, old *app) *app {
	if len(r.Hosts) == 0 {
		delete(rt.apps, r.App)
		return nil
	}
	next := &app{route: r, traffic: new(traffic), changed: make(chan struct{})}
	if old != nil {
		next.traffic = old.traffic
	}
	for _, t := range slices.Concat(r.Targets, r.Canary) {
		next.targets = append(next.targets, rt.targetLocked(r.App, t, old))
	}
	next.canary = next.targets[len(r.Targets):]
	rt.apps[r.App] = next
	return next
}

// targetLocked finds the target among those that r's app has or had, or makes
// it.
func (rt *Router) targetLocked(id renga.AppID, want renga.Target, old *app) *target {
	same := func(t *target) bool { return t.app == id && t.Target == want }
	if old != nil {
		if i := slices.IndexFunc(old.targets, same); i >= 0 {
			return old.targets[i]
		}
	}
	if i := slices.IndexFunc(rt.leaving, same); i >= 0 {
		t := rt.leaving[i]
		rt.leaving = slices.Delete(rt.leaving, i, i+1)
		t.revive()
		return t
	}
	return newTarget(rt, id, want)
}

// retireLocked ends claims on the targets of old that next has not.
func (rt *Router) retireLocked(old, next *app) {
	if old == nil {
		return
	}
	for _, t := range old.targets {
		if next != nil && slices.Contains(next.targets, t) {
			continue
		}
		t.retire()
		rt.leaving = append(rt.leaving, t)
	}
}

// sweepLocked forgets the targets that have left and finished.
func (rt *Router) sweepLocked() {
	rt.leaving = slices.DeleteFunc(rt.leaving, func(t *target) bool {
		if t.inFlight() > 0 {
			return false
		}
		t.closeIdle()
		return true
	})
}

// replace is a table with next in old's place; either may be nil.
func (t *table) replace(old, next *app) *table {
	hosts := make(map[string]*app, len(t.hosts)+1)
	maps.Copy(hosts, t.hosts)
	if old != nil {
		for _, h := range old.route.Hosts {
			if h = key(h); hosts[h] == old {
				delete(hosts, h)
			}
		}
	}
	if next != nil {
		for _, h := range next.route.Hosts {
			hosts[key(h)] = next
		}
	}
	return &table{hosts: hosts}
}

// sides are the targets to ask first and those to ask when none of them will
// do. With a canary it is random, except for a request that could not connect:
// it stays on its side.
func (a *app) sides(tried []*target) (first, second []*target) {
	stable := a.targets[:len(a.targets)-len(a.canary)]
	if len(stable) == 0 || len(a.canary) == 0 {
		return a.targets, nil
	}
	chosen := rand.IntN(100) < a.route.Percent
	if len(tried) > 0 {
		chosen = slices.Contains(a.canary, tried[0])
	}
	if chosen {
		return a.canary, stable
	}
	return stable, a.canary
}

// claim takes a place on one of the targets, by chance: among those that are
// not in quarantine if it can, and never one of tried. If there was none, the
// result is the worst of all.
func (a *app) claim(now time.Time, limit int64, tried []*target) (*target, claimResult) {
	side, other := a.sides(tried)
	first := side[rand.IntN(len(side))]
	if first.healthy(now) && !slices.Contains(tried, first) && first.claim(limit) == taken {
		return first, taken
	}
	worst := exhausted
	order := append(shuffled(side), shuffled(other)...)
	for _, healthy := range []bool{true, false} {
		for _, t := range order {
			if t.healthy(now) != healthy || slices.Contains(tried, t) {
				continue
			}
			v := t.claim(limit)
			if v == taken {
				return t, taken
			}
			worst = max(worst, v)
		}
	}
	return nil, worst
}

func shuffled(targets []*target) []*target {
	all := slices.Clone(targets)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// idleCode is the code of an app that no request is sent to; "" if requests may
// be sent.
func (a *app) idleCode() Code {
	switch {
	case a == nil:
		return NoSuchApp
	case a.route.Maintenance:
		return H80
	case len(a.targets) > 0:
		return ""
	}
	switch a.route.Idle {
	case renga.IdleBlank:
		return H81
	case renga.IdleScaled:
		return H14
	case renga.IdleStarting, renga.IdleAsleep:
		return H20
	case renga.IdleCrashed:
		return H10
	}
	return H99
}
