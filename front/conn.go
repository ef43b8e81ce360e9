package front

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// onePiece and oneFilePiece are how much is written under one deadline: a
	// client that takes each piece in time may go on for ever.
	onePiece     = 64 << 10
	oneFilePiece = 256 << 10
)

// plainConn is a client's connection, below TLS if there is any. It is
// closed when the client takes nothing of what is written to it for too long. It
// keeps what net/http uses of TCP: half-closing and sendfile.
type plainConn struct {
	*net.TCPConn
	head            head
	from            net.Addr // the client's address, when a balancer told it
	client          *client
	writeTimeout    time.Duration // zero for none
	foreignDeadline atomic.Bool   // the server has set a deadline for writing itself
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

// touch moves the deadline for writing.
func (c *plainConn) touch() error {
	if c.writeTimeout <= 0 || c.foreignDeadline.Load() {
		return nil
	}
	return c.TCPConn.SetWriteDeadline(time.Now().Add(c.writeTimeout))
}

// SetDeadline sets the deadline for writing, too.
func (c *plainConn) SetDeadline(t time.Time) error {
	c.foreignDeadline.Store(!t.IsZero())
	return c.TCPConn.SetDeadline(t)
}

// SetWriteDeadline holds until it is set to zero; ours do not move it meanwhile.
func (c *plainConn) SetWriteDeadline(t time.Time) error {
	c.foreignDeadline.Store(!t.IsZero())
	return c.TCPConn.SetWriteDeadline(t)
}

// Close makes room for another connection.
func (c *plainConn) Close() error {
	c.client.limiter.remove(c.client)
	return c.TCPConn.Close()
}

// clientOf finds the client of one of the server's connections.
func clientOf(c net.Conn) *client {
	switch c := c.(type) {
	case *plainConn:
		return c.client
	case interface{ NetConn() net.Conn }:
		return clientOf(c.NetConn())
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
