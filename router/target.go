package router

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"renga"
)

// target is one dyno that requests go to. It lives as long as it is routed or
// has requests in flight.
//
// It has two transports. Requests that may be repeated use a pool of kept
// connections: if the dyno closes one just as it is picked, the transport sends
// the request again. For all others nobody could tell whether the dyno did the
// work before it closed, so each gets a connection of its own with Connection:
// close, which leaves the closed socket's waiting time with the dyno.
type target struct {
	renga.Target
	app  renga.AppID
	pool *http.Transport
	own  *http.Transport

	// state is the number of requests in flight, with two flags above it, in one
	// word, so that a claim and a retirement cannot miss each other.
	state       atomic.Int64
	quarantined atomic.Int64 // until then, in unix nanoseconds

	requests, failed atomic.Int64 // that ended, see renga.Tally

	mu       sync.Mutex
	waiters  []chan struct{} // closed when nothing is in flight
	upgraded map[net.Conn]struct{}
	cut      bool // upgraded connections are closed from now on
}

const (
	retired    int64 = 1 << 62 // no claims any more
	hasWaiters int64 = 1 << 61 // there are waiters
	countMask        = hasWaiters - 1
)

// claimResult is how a claim ended, in order of precedence.
type claimResult int

const (
	exhausted claimResult = iota // all were tried
	full                         // the limit is reached
	gone                         // retired: the table has changed
	taken
)

func newTarget(rt *Router, id renga.AppID, t renga.Target) *target {
	pool := newTransport(rt.opt, rt.buffers, t.Addr)
	own := newTransport(rt.opt, rt.buffers, t.Addr)
	own.DisableKeepAlives = true
	return &target{Target: t, app: id, pool: pool, own: own}
}

// claim takes a place unless the target is retired or has limit requests. The
// caller must unclaim each place.
func (t *target) claim(limit int64) claimResult {
	n := t.state.Add(1)
	switch {
	case n&retired != 0:
		t.unclaim()
		return gone
	case n&countMask > limit:
		t.unclaim()
		return full
	}
	return taken
}

func (t *target) unclaim() {
	if n := t.state.Add(-1); n&hasWaiters != 0 && n&countMask == 0 {
		t.notifyIdle()
	}
}

func (t *target) inFlight() int64 { return t.state.Load() & countMask }

// notifyIdle tells the waiters that nothing is in flight, if that is still so.
func (t *target) notifyIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight() > 0 {
		return
	}
	t.state.And(^hasWaiters)
	for _, w := range t.waiters {
		close(w)
	}
	t.waiters = nil
}

// idle is closed once nothing is in flight.
func (t *target) idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := make(chan struct{})
	// The flag first: from now on the last unclaim calls notifyIdle, which waits
	// for the lock.
	if before := t.state.Or(hasWaiters); before&countMask == 0 {
		close(w)
		return w
	}
	t.waiters = append(t.waiters, w)
	return w
}

// retire refuses all further claims. Those before it are counted.
func (t *target) retire() { t.state.Or(retired) }

// revive takes retire back.
func (t *target) revive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = false
	t.state.And(^retired)
}

func (t *target) healthy(now time.Time) bool {
	until := t.quarantined.Load()
	return until == 0 || now.UnixNano() >= until
}

func (t *target) quarantine(until time.Time) { t.quarantined.Store(until.UnixNano()) }

// count adds a request to the tally.
func (t *target) count(status int) {
	t.requests.Add(1)
	if status >= http.StatusInternalServerError {
		t.failed.Add(1)
	}
}

func (t *target) closeIdle() {
	t.pool.CloseIdleConnections()
	t.own.CloseIdleConnections()
}

// keep remembers a client's upgraded connection. It closes it at once if the
// target's connections have been cut.
func (t *target) keep(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		_ = c.Close() // the copying ends by it; there is nobody to tell
		return
	}
	if t.upgraded == nil {
		t.upgraded = map[net.Conn]struct{}{}
	}
	t.upgraded[c] = struct{}{}
}

func (t *target) forget(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.upgraded, c)
}

// cutUpgraded closes the connections that keep remembers and, on a retired
// target, all that are still to come. It returns how many other requests are in
// flight.
func (t *target) cutUpgraded() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = t.state.Load()&retired != 0
	for c := range t.upgraded {
		_ = c.Close() // as in keep
	}
	return max(0, t.inFlight()-int64(len(t.upgraded)))
}

// Drain returns nil once the target with that id has no request in flight, at
// once if there is no such target. Call it after a Route without the target: no
// request claims it any more. If ctx ends first, it closes upgraded connections
// (WebSockets), and requests that are left then are an error.
func (rt *Router) Drain(ctx context.Context, id renga.AppID, dyno string) error {
	left := int64(0)
	for _, t := range rt.find(id, dyno) {
		select {
		case <-t.idle():
		case <-ctx.Done():
			left += t.cutUpgraded()
		}
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.sweepLocked()
	if left > 0 {
		return fmt.Errorf("drain dyno %s: %d requests in flight: %w", dyno, left, context.Cause(ctx))
	}
	return nil
}

// Tally counts the requests that the target with that id was asked since it was
// first routed to; zero if there is no such target.
func (rt *Router) Tally(id renga.AppID, dyno string) renga.Tally {
	var sum renga.Tally
	for _, t := range rt.find(id, dyno) {
		sum.Requests += t.requests.Load()
		sum.Failed += t.failed.Load()
	}
	return sum
}

// find lists the targets with that id: more than one when its address changed.
func (rt *Router) find(id renga.AppID, dyno string) []*target {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	candidates := rt.leaving
	if a := rt.apps[id]; a != nil {
		candidates = append(a.targets[:len(a.targets):len(a.targets)], candidates...)
	}
	var found []*target
	for _, t := range candidates {
		if t.app == id && t.ID == dyno {
			found = append(found, t)
		}
	}
	return found
}
