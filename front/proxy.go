package front

import (
	"bufio"
	"errors"
	"time"

	"github.com/pires/go-proxyproto"
)

var errTooMany = errors.New("too many connections of one address")

// maxProxyHeaderBytes bounds a PROXY header with all that a balancer adds to it.
// The protocol requires that at least 536 bytes are accepted.
const maxProxyHeaderBytes = 4096

// readProxyHeader reads the client's address from a trusted balancer's header of
// the PROXY protocol, version 1 or 2, which comes before everything else, TLS
// included. A connection without one is the balancer's own, and so is one that it
// calls local, as its health checks do.
func (s *sorter) readProxyHeader(c *plainConn) error {
	if err := c.SetReadDeadline(time.Now().Add(s.headerTimeout())); err != nil {
		return err
	}
	r := bufio.NewReaderSize(c.TCPConn, maxProxyHeaderBytes)
	header, err := proxyproto.Read(r)
	if err != nil && !errors.Is(err, proxyproto.ErrNoProxyProtocol) {
		return err
	}
	if header != nil && header.Command.IsProxy() {
		if client, _, ok := header.TCPAddrs(); ok {
			c.from = client
		}
	}
	c.head, _ = r.Peek(r.Buffered()) // never fails: all of it is buffered
	if c.from != nil && !s.door.Limiter.count(c.client, addrOf(c.from)) {
		return errTooMany
	}
	return c.SetReadDeadline(time.Time{})
}
