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

// idle is how long a client may be silent in the midst of its request, and how
// long it may take nothing of its answer: the router's number, and Heroku's.
const idle = 55 * time.Second

// guestKey is where a request's context has its guest.
type guestKey struct{}

// attend bounds what a server waits for, and notes for whom it works.
func attend(s *http.Server, patience time.Duration) {
	inner, before := s.Handler, s.ConnContext
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, c)
		}
		return context.WithValue(ctx, guestKey{}, guestOf(c))
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g, _ := r.Context().Value(guestKey{}).(*guest)
		g.work()
		defer g.rest()
		if r.Body != nil && r.Body != http.NoBody {
			b := newBody(w, r, g, patience)
			defer b.end()
			r = r.WithContext(r.Context()) // a copy: the server looks at its own one, too
			r.Body = b
		}
		if r.ProtoMajor >= 2 {
			stream := newStreamWriter(w, patience)
			defer stream.end()
			w = stream
		}
		inner.ServeHTTP(w, r)
	})
}

// body is a request's body. Who reads it waits for so long and no longer.
type body struct {
	io.ReadCloser
	guest    *guest
	patience time.Duration
	// stream says that it is one of HTTP/2: its deadline breaks it whether
	// somebody reads or not, and it has no next request.
	stream bool

	mu          sync.Mutex // a transport may read on while the handler ends
	setDeadline func(time.Time) error
	over        bool // the writer behind setDeadline is somebody else's
}

func newBody(w http.ResponseWriter, r *http.Request, g *guest, patience time.Duration) *body {
	b := &body{ReadCloser: r.Body, guest: g, patience: patience, stream: r.ProtoMajor >= 2}
	b.setDeadline = http.NewResponseController(w).SetReadDeadline
	if !b.stream {
		b.wait(patience) // also for what the server reads of a body that nobody wanted
	}
	return b
}

// Read reads from the client.
func (b *body) Read(p []byte) (int, error) {
	b.wait(b.patience)
	b.guest.rest()
	n, err := b.ReadCloser.Read(p)
	b.guest.work()
	if b.stream || errors.Is(err, io.EOF) {
		b.wait(0) // from a body's end on the server watches the connection
	}
	return n, err
}

// wait gives the client so much time from now on, or all the time at zero.
func (b *body) wait(patience time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	until := time.Time{}
	if patience > 0 {
		until = time.Now().Add(patience)
	}
	_ = b.setDeadline(until) // a server that knows no deadlines has none
}

// end comes before the handler's end.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
