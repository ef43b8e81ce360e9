package router

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"syscall"
	"time"
)

// maxIdlePerDyno bounds the connections kept to a dyno; a busy dyno has no more
// requests than that at a time.
const maxIdlePerDyno = 256

// maxAnswerHeaderBytes bounds the headers of a dyno's answer.
const maxAnswerHeaderBytes = 1 << 20

// newTransport speaks HTTP/1.1 to addr, whatever the request's URL says. It has
// no idle timeout of its own: the rolling deadline of each connection closes
// the idle ones too.
func newTransport(o Options, buffers httputil.BufferPool, addr string) *http.Transport {
	dialer := &net.Dialer{Timeout: o.ConnectTimeout}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, &dialError{err}
			}
			return newConn(c, o.IdleTimeout, buffers), nil
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdlePerDyno,
		MaxResponseHeaderBytes: maxAnswerHeaderBytes,
		ResponseHeaderTimeout:  o.FirstByteTimeout,
	}
}

// dialError marks an error before any byte was sent: another dyno may be asked.
type dialError struct{ err error }

// Error is the cause's text.
func (e *dialError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *dialError) Unwrap() error { return e.err }

// code tells a dyno that does not answer from one that refuses.
func (e *dialError) code() Code {
	if isTimeout(e.err) {
		return H19
	}
	return H21
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// conn is a connection to a dyno with a rolling deadline: it is closed when no
// byte has moved either way for the idle time. A write moves the deadline for
// reading, too, so a kept connection starts afresh with each request.
type conn struct {
	net.Conn
	deadline    rollingDeadline
	readsNoMore atomic.Bool // the dyno no longer reads
	buffers     httputil.BufferPool
}

func newConn(c net.Conn, idle time.Duration, buffers httputil.BufferPool) *conn {
	return &conn{Conn: c, deadline: newRollingDeadline(idle), buffers: buffers}
}

// Read moves the deadline and reads.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.deadline.touch(c.SetDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write moves the deadline and writes. What the dyno no longer reads is dropped
// without an error: it may have answered before it closed (a refused upload),
// and after an error the transport would throw that answer away. If it has not
// answered, Read fails.
func (c *conn) Write(p []byte) (int, error) {
	if c.readsNoMore.Load() {
		return len(p), nil
	}
	if err := c.deadline.touch(c.SetDeadline); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		c.readsNoMore.Store(true)
		return len(p), nil
	}
	return n, err
}

// ReadFrom lets request bodies pass through a borrowed buffer; the transport
// would allocate one for each.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	buf := c.buffers.Get()
	defer c.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, buf)
}

// CloseWrite passes the end of an upgraded connection's one direction on.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return c.Close()
	}
	return half.CloseWrite()
}

// rollingDeadline keeps a deadline ahead of now. Moving one takes a lock in the
// runtime's poller, so it is moved only once in a sixteenth of the idle time,
// and by that much more.
type rollingDeadline struct {
	idle  time.Duration
	start time.Time
	next  atomic.Int64 // when to move it again, in nanoseconds from start
}

func newRollingDeadline(idle time.Duration) rollingDeadline {
	return rollingDeadline{idle: idle, start: time.Now()}
}

func (d *rollingDeadline) touch(set func(time.Time) error) error {
	age := time.Since(d.start)
	if int64(age) < d.next.Load() {
		return nil
	}
	slack := d.idle / 16
	d.next.Store(int64(age + slack))
	return set(d.start.Add(age + d.idle + slack))
}
