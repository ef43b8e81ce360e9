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
	// farewellTime is how long clients are asked to come over another connection
	// next time, while they are still let in.
	farewellTime = time.Second
	// lastCall is how long those who got in may then take to ask.
	lastCall = 250 * time.Millisecond
)

// farewell sees a server's clients off. http.Server's own end drops requests
// that it reads from then on, and those that are on their way over a connection
// which idles; so nobody may be about to ask when it comes.
type farewell struct {
	leaving atomic.Bool

	mu      sync.Mutex
	open    map[net.Conn]http.ConnState
	changed chan struct{}
}

// newFarewell puts itself before the server's handler, once and for all.
func newFarewell(s *http.Server) *farewell {
	f := &farewell{open: map[net.Conn]http.ConnState{}, changed: make(chan struct{}, 1)}
	inner, watched := s.Handler, s.ConnState
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.leaving.Load() && !isWebSocket(r) || ambiguous(r) {
			w.Header().Set("Connection", "close")
		}
		inner.ServeHTTP(w, r)
	})
	s.ConnState = func(c net.Conn, state http.ConnState) {
		f.note(c, state)
		if watched != nil {
			watched(c, state)
		}
	}
	return f
}

// isWebSocket tells of a request whose connection is soon no more the server's to
// close. No other protocol is changed to.
func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ambiguous tells whether a request's end may be seen elsewhere by a proxy before
// us: it had Transfer-Encoding, and perhaps Content-Length beside it, which
// net/http takes out before anybody can look. Such a connection is closed after
// the answer (RFC 9112, 6.1); a client that meant no harm makes a new one.
func ambiguous(r *http.Request) bool {
	return r.ProtoMajor == 1 && len(r.TransferEncoding) > 0
}

func (f *farewell) note(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(f.open, c)
	} else {
		f.open[c] = state
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// say asks every client that comes to close its connection, until all have or
// farewellTime is over.
func (f *farewell) say() {
	f.leaving.Store(true)
	f.wait(farewellTime, func(http.ConnState) bool { return true })
}

// quiet returns when nobody is about to ask any more, once no more are let in.
// Requests that are being answered are the server's to wait for.
func (f *farewell) quiet() {
	f.wait(lastCall, func(s http.ConnState) bool { return s != http.StateActive })
}

// wait returns when no open connection is in such a state, or after a time.
func (f *farewell) wait(most time.Duration, such func(http.ConnState) bool) {
	late := time.After(most)
	for f.any(such) {
		select {
		case <-f.changed:
		case <-late:
			return
		}
	}
}

func (f *farewell) any(such func(http.ConnState) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, state := range f.open {
		if such(state) {
			return true
		}
	}
	return false
}
