package router

import (
	"time"

	"renga"
)

// holdLimit bounds how long an app's requests are held for its next route.
const holdLimit = time.Second

// Hold has the app's new requests wait for its next route, a second at most: what
// is made known in between is true for every request that comes after it. Those
// that have a dyno already are not held.
func (rt *Router) Hold(id renga.AppID) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if a := rt.apps[id]; a != nil {
		a.heldUntil.Store(rt.opt.Now().Add(holdLimit).UnixNano())
	}
}

// held is how much longer the app's requests are held; nothing, when they are not.
func (a *app) held(now time.Time) time.Duration {
	until := a.heldUntil.Load()
	if until == 0 {
		return 0
	}
	return time.Duration(until - now.UnixNano())
}
