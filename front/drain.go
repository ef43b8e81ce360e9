package front

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// announceTime is how long answers ask clients to use another connection next
	// time, while new connections are still accepted.
	announceTime = time.Second
	// lastRequestTime is how long accepted connections may then take to send a
	// request.
	lastRequestTime = 250 * time.Millisecond
)

// connDrainer drains a server's connections before http.Server.Shutdown, which drops
// the requests that it reads from then on, and those on their way over an idle
// connection. So no client may be about to send one when it begins.
type connDrainer struct {
	draining atomic.Bool

	mu      sync.Mutex
	open    map[net.Conn]http.ConnState
	changed chan struct{}
}

// newConnDrainer puts itself before the server's handler.
func newConnDrainer(s *http.Server) *connDrainer {
	d := &connDrainer{open: map[net.Conn]http.ConnState{}, changed: make(chan struct{}, 1)}
	inner, next := s.Handler, s.ConnState
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() && !isWebSocket(r) || ambiguous(r) {
			w.Header().Set("Connection", "close")
		}
		inner.ServeHTTP(w, r)
	})
	s.ConnState = func(c net.Conn, state http.ConnState) {
		d.note(c, state)
		if next != nil {
			next(c, state)
		}
	}
	return d
}

// isWebSocket tells whether the server will soon give the request's connection
// away. There is no other protocol that it upgrades to.
func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ambiguous tells whether a proxy before us may see the request end elsewhere:
// it had Transfer-Encoding, and perhaps Content-Length beside it, which
// net/http takes out before anybody can look. Such a connection is closed after
// the answer (RFC 9112, 6.1); a client that meant no harm makes a new one.
func ambiguous(r *http.Request) bool {
	return r.ProtoMajor == 1 && len(r.TransferEncoding) > 0
}

func (d *connDrainer) note(c net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(d.open, c)
	} else {
		d.open[c] = state
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// announce asks every client to close its connection, until all have or
// announceTime is over.
func (d *connDrainer) announce() {
	d.draining.Store(true)
	d.wait(announceTime, func(http.ConnState) bool { return true })
}

// waitIdle returns when no client is about to send a request. No connections may be
// accepted any more. The server itself waits for the requests that it answers.
func (d *connDrainer) waitIdle() {
	d.wait(lastRequestTime, func(s http.ConnState) bool { return s != http.StateActive })
}

// wait returns when no open connection is in such a state, or after most.
func (d *connDrainer) wait(most time.Duration, inState func(http.ConnState) bool) {
	late := time.After(most)
	for d.any(inState) {
		select {
		case <-d.changed:
		case <-late:
			return
		}
	}
}

func (d *connDrainer) any(inState func(http.ConnState) bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, state := range d.open {
		if inState(state) {
			return true
		}
	}
	return false
}
