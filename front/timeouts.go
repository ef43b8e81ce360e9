package front

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// defaultIdle is [Door.Idle] where none is given: the router's number, and Heroku's.
const defaultIdle = 55 * time.Second

// clientKey is the key of a request's client in its context.
type clientKey struct{}

// setTimeouts bounds how long a server waits for its clients, and notes for which
// client it works.
func setTimeouts(s *http.Server, timeout time.Duration) {
	inner, before := s.Handler, s.ConnContext
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, c)
		}
		return context.WithValue(ctx, clientKey{}, clientOf(c))
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cl, _ := r.Context().Value(clientKey{}).(*client)
		cl.beginWork()
		defer cl.endWork()
		if r.Body != nil && r.Body != http.NoBody {
			b := newBody(w, r, cl, timeout)
			defer b.end()
			r = r.WithContext(r.Context()) // a copy: the server looks at its own, too
			r.Body = b
		}
		if r.ProtoMajor >= 2 {
			stream := newStreamWriter(w, timeout)
			defer stream.end()
			w = stream
		}
		inner.ServeHTTP(w, r)
	})
}

// body is a request's body with a deadline for each read.
type body struct {
	io.ReadCloser
	client  *client
	timeout time.Duration
	// stream tells that it is HTTP/2's: its deadline breaks it even when nobody
	// reads, and no request follows on it.
	stream bool

	mu          sync.Mutex // a transport may read on while the handler ends
	setDeadline func(time.Time) error
	over        bool // the handler has ended: setDeadline is for the next request's
}

func newBody(w http.ResponseWriter, r *http.Request, cl *client, timeout time.Duration) *body {
	b := &body{ReadCloser: r.Body, client: cl, timeout: timeout, stream: r.ProtoMajor >= 2}
	b.setDeadline = http.NewResponseController(w).SetReadDeadline
	if !b.stream {
		b.extend(timeout) // also for what the server reads of a body that no handler reads
	}
	return b
}

// Read reads from the client.
func (b *body) Read(p []byte) (int, error) {
	b.extend(b.timeout)
	b.client.endWork()
	n, err := b.ReadCloser.Read(p)
	b.client.beginWork()
	if b.stream || errors.Is(err, io.EOF) {
		b.extend(0) // from a body's end on the server watches the connection
	}
	return n, err
}

// extend gives the client so much time from now on; zero is for no deadline.
func (b *body) extend(timeout time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	until := time.Time{}
	if timeout > 0 {
		until = time.Now().Add(timeout)
	}
	_ = b.setDeadline(until) // a server without deadlines needs none
}

// end is called before the handler ends.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
