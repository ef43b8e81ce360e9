package router

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// upload is the request's body as the dyno's connection reads it. It moves the
// client's deadline and notes how the client failed. Closing it does nothing,
// for a transport that could not connect would close it before the next try;
// the proxy closes the client's body.
type upload struct {
	client      io.Reader // nil when the request has no body
	trailer     http.Header
	setDeadline func(time.Time) error

	mu       sync.Mutex // the transport may read on while the exchange ends
	deadline rollingDeadline
	over     bool
	err      error
}

// Read reads from the client.
func (u *upload) Read(p []byte) (int, error) {
	u.touch()
	n, err := u.client.Read(p)
	if err != nil {
		u.finish(err)
	}
	return n, err
}

// Close does nothing.
func (u *upload) Close() error { return nil }

// touch moves the client's deadline. It is called for bytes in either
// direction, as a client may be silent while it is being answered.
func (u *upload) touch() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client != nil && !u.over {
		_ = u.deadline.touch(u.setDeadline) // a server that knows no deadlines has none
	}
}

// finish ends the body at its end or at its first error.
func (u *upload) finish(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return
	}
	u.over = true
	if !errors.Is(err, io.EOF) {
		u.err = err
		return
	}
	removeLookalikes(u.trailer) // which came with the end
	removeOurs(u.trailer)
	_ = u.setDeadline(time.Time{}) // as in touch; from here on the server watches the client
}

// ended tells whether the client's body was read to its end. From now on it
// leaves the deadline alone, which then bounds what the server reads of the
// rest; the server sets it anew for the next request.
func (u *upload) ended() bool {
	u.touch()
	u.mu.Lock()
	defer u.mu.Unlock()
	ended := u.over && u.err == nil
	u.over = true
	return ended
}

// end stops moving the client's deadline, before the handler ends.
func (u *upload) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
}

// code is that of the client's failure, "" if there was none: it fell silent,
// disconnected, or sent an invalid body.
func (u *upload) code() Code {
	u.mu.Lock()
	defer u.mu.Unlock()
	var network *net.OpError
	switch {
	case u.err == nil:
		return ""
	case errors.Is(u.err, os.ErrDeadlineExceeded):
		return H28
	case errors.Is(u.err, io.ErrUnexpectedEOF) || errors.As(u.err, &network):
		return H27
	}
	return H26
}
