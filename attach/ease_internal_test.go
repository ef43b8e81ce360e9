package attach

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// countedConn counts what is written to it.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// CloseWrite says nothing.
func (*countedConn) CloseWrite() error { return nil }

// The CLI's end of a tunnel is gone once psql has ended.
func TestClientThatHasEndedIsToldNothingMore(t *testing.T) {
	near, far := net.Pipe()
	counted := &countedConn{Conn: near}
	served := make(chan halfCloser, 1)
	go func() {
		eased, err := easePostgres(counted)
		if err != nil {
			t.Error(err)
		}
		served <- eased
	}()
	ask := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, askLength), askTLS)
	if _, err := far.Write(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	client := tls.Client(far, &tls.Config{InsecureSkipVerify: true}) // psql looks at no certificate either
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, far) }() // whatever comes; ends with the connection
	server := <-served
	go func() { _ = client.CloseWrite() }() // what comes of it is read below
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("the client's end is read as %v", err)
	}
	before := counted.written.Load()
	if err := errors.Join(server.CloseWrite(), server.Close()); err != nil {
		t.Error(err)
	}
	if now := counted.written.Load(); now != before {
		t.Errorf("%d bytes were written to a client that has ended", now-before)
	}
}
