package front

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// onePiece and oneFilePiece are what is written under one deadline: whoever
	// takes a piece in time goes on.
	onePiece     = 64 << 10
	oneFilePiece = 256 << 10
)

// plainConn is a client's connection, below TLS if there is any. It is broken
// off when the client takes nothing for too long of what is written to it. It
// keeps what net/http uses of TCP: half-closing and sendfile.
type plainConn struct {
	*net.TCPConn
	head     head
	from     net.Addr // whom it comes from, when a balancer said so
	guest    *guest
	patience time.Duration // zero for ever
	theirs   atomic.Bool   // somebody else sees to the deadline of writing
}

// RemoteAddr is the client's address.
func (c *plainConn) RemoteAddr() net.Addr {
	if c.from != nil {
		return c.from
	}
	return c.TCPConn.RemoteAddr()
}

// Read reads the head first.
func (c *plainConn) Read(p []byte) (int, error) { return c.head.read(p, c.TCPConn) }

// WriteTo writes the head first.
func (c *plainConn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// Write writes piece by piece.
func (c *plainConn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+onePiece)]
		if err := c.touch(); err != nil {
			return n, err
		}
		m, err := c.TCPConn.Write(piece)
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// ReadFrom writes what it reads, piece by piece. A limited file stays one, for
// the kernel sends it by itself.
func (c *plainConn) ReadFrom(r io.Reader) (n int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		const noLimit = 1<<63 - 1
		limited = &io.LimitedReader{R: r, N: noLimit}
	}
	for limited.N > 0 {
		if err := c.touch(); err != nil {
			return n, err
		}
		piece := min(limited.N, oneFilePiece)
		m, err := c.TCPConn.ReadFrom(&io.LimitedReader{R: limited.R, N: piece})
		n, limited.N = n+m, limited.N-m
		if err != nil || m < piece {
			return n, err
		}
	}
	return n, nil
}

// touch moves the deadline of writing.
func (c *plainConn) touch() error {
	if c.patience <= 0 || c.theirs.Load() {
		return nil
	}
	return c.TCPConn.SetWriteDeadline(time.Now().Add(c.patience))
}

// SetDeadline is also one of writing.
func (c *plainConn) SetDeadline(t time.Time) error {
	c.theirs.Store(!t.IsZero())
	return c.TCPConn.SetDeadline(t)
}

// SetWriteDeadline takes the deadline over until it is given up.
func (c *plainConn) SetWriteDeadline(t time.Time) error {
	c.theirs.Store(!t.IsZero())
	return c.TCPConn.SetWriteDeadline(t)
}

// Close lets another in.
func (c *plainConn) Close() error {
	c.guest.crowd.leave(c.guest)
	return c.TCPConn.Close()
}

// guestOf finds who is behind a connection of the server's.
func guestOf(c net.Conn) *guest {
	switch c := c.(type) {
	case *plainConn:
		return c.guest
	case interface{ NetConn() net.Conn }:
		return guestOf(c.NetConn())
	}
	return nil
}

// addrOf is the address of one end of a connection.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
