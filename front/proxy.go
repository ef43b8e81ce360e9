package front

import (
	"bufio"
	"errors"
	"time"

	"github.com/pires/go-proxyproto"
)

var errCrowd = errors.New("too many connections of one address")

// longestIntroduction bounds a PROXY header with all that a balancer adds to
// it. The protocol wants at least 536 bytes to be taken.
const longestIntroduction = 4096

// introduce takes a trusted balancer's word on whom a connection comes from: a
// header of the PROXY protocol, version 1 or 2, before everything else, TLS
// included. A connection without one is the balancer's own, and so is one that
// it calls local, as when it looks whether we live.
func (s *sorter) introduce(c *plainConn) error {
	if err := c.SetReadDeadline(time.Now().Add(s.patience())); err != nil {
		return err
	}
	r := bufio.NewReaderSize(c.TCPConn, longestIntroduction)
	header, err := proxyproto.Read(r)
	if err != nil && !errors.Is(err, proxyproto.ErrNoProxyProtocol) {
		return err
	}
	if header != nil && header.Command.IsProxy() {
		if client, _, ok := header.TCPAddrs(); ok {
			c.from = client
		}
	}
	c.head, _ = r.Peek(r.Buffered()) // all that is there can be had
	if c.from != nil && !s.door.Crowd.count(c.guest, addrOf(c.from)) {
		return errCrowd
	}
	return c.SetReadDeadline(time.Time{})
}
