package router

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// reply writes the answer to the client: it counts bytes, moves the deadline of
// a long answer, and remembers how it failed.
type reply struct {
	http.ResponseWriter
	x          *exchange
	connection []string // the server's own word on it
	status     int
	bytes      int64
	writes     int
	deadline   rollingDeadline
	rolling    bool
	err        error    // writing to the client
	dyno       error    // reading from the dyno
	hijacked   net.Conn // the client's connection, once it speaks another protocol
}

// prepare changes the dyno's answer as little as a proxy must.
func (r *reply) prepare(res *http.Response) {
	res.Header["Via"] = append(res.Header["Via"], via)
	if _, ok := res.Header["Content-Type"]; !ok {
		// Otherwise the server would guess one.
		r.Header()["Content-Type"] = nil
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &download{res.Body, r}
	}
}

// WriteHeader notes the final status; others below 200 may come before it. It
// restores the server's Connection header for the final one, for the proxy
// clears all headers after each of the others.
func (r *reply) WriteHeader(status int) {
	if status < http.StatusOK {
		delete(r.Header(), "Connection")
	} else {
		r.status = status
		if len(r.connection) > 0 {
			r.Header()["Connection"] = r.connection
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write passes a piece of the answer on.
func (r *reply) Write(p []byte) (int, error) {
	r.touch()
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	if err != nil {
		r.err = err
	}
	return n, err
}

// FlushError is what http.ResponseController.Flush looks for.
func (r *reply) FlushError() error {
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Hijack hands the client's connection over, and notes it for the dyno's drain.
func (r *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, brw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	r.hijacked, r.status = c, http.StatusSwitchingProtocols
	r.x.target.keep(c)
	return c, brw, nil
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// touch moves the client's deadline. An answer of one write needs none: it fits
// into the socket's buffer.
func (r *reply) touch() {
	r.x.body.touch()
	if r.writes++; r.writes == 1 {
		return
	}
	if !r.rolling {
		r.rolling = true
		r.deadline = newRollingDeadline(r.x.rt.opt.IdleTimeout)
	}
	// A writer that knows no deadlines has none.
	_ = r.deadline.touch(http.NewResponseController(r.ResponseWriter).SetWriteDeadline)
}

// reset restores the deadlines of the client's connection for its next request.
func (r *reply) reset() {
	if r.rolling && r.hijacked == nil {
		_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Time{}) // as in touch
	}
	if r.hijacked != nil {
		r.x.target.forget(r.hijacked)
	}
}

// broken is the code for an answer that was broken off in the middle.
func (r *reply) broken() Code {
	switch {
	case errors.Is(r.err, os.ErrDeadlineExceeded) || r.x.body.code() == H28:
		return H28
	case r.x.in.Context().Err() != nil:
		return H27
	case errors.Is(r.dyno, os.ErrDeadlineExceeded):
		return H15
	case r.dyno != nil:
		return H18
	case r.err != nil:
		return H27
	}
	return H99
}

// download is the body of the dyno's answer; it remembers how it broke.
type download struct {
	io.ReadCloser
	r *reply
}

// Read reads from the dyno.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		d.r.dyno = err
	}
	return n, err
}
