package router

import (
	"slices"
	"time"

	"renga"
)

// LastRequest is when a request to the app last ended: now while one is under
// way, upgraded connections and waiting requests included; zero if there was
// none since the router was made. Requests answered by maintenance mode do not
// count.
//
// After a Route that took all targets away it misses no request: each has
// either claimed its target before, and counts, or it waits, and counts.
func (rt *Router) LastRequest(id renga.AppID) time.Time {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	a := rt.apps[id]
	if a == nil {
		return time.Time{}
	}
	busy := func(t *target) bool { return t.app == id && t.inFlight() > 0 }
	if a.waiting.Load() > 0 || slices.ContainsFunc(a.targets, busy) || slices.ContainsFunc(rt.leaving, busy) {
		return rt.opt.Now()
	}
	if at := a.last.Load(); at > 0 { // only now: it is noted before the target is given back
		return time.Unix(0, at)
	}
	return time.Time{}
}

// wakeUp has a sleeping app woken up: its first request does so, the others
// only wait.
func (a *app) wakeUp(wakeUp func(renga.AppID)) {
	if a.route.Idle == renga.IdleAsleep && a.wokenUp.CompareAndSwap(false, true) {
		wakeUp(a.route.App)
	}
}

// noteRequest notes that a request has ended.
func (a *app) noteRequest(at time.Time, code Code) {
	if a != nil && code != H80 {
		a.last.Store(at.UnixNano())
	}
}
