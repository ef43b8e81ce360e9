package front

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"time"
)

// protocol is what the first bytes of a connection tell of it.
type protocol int

const (
	undecided protocol = iota // more bytes are needed
	speaksHTTP
	speaksOther
)

// detectSSH tells SSH, whose clients speak first, from HTTP.
func detectSSH(first []byte) protocol {
	banner := []byte("SSH-2.0-")
	switch {
	case bytes.HasPrefix(first, banner):
		return speaksOther
	case bytes.HasPrefix(banner, first):
		return undecided
	}
	return speaksHTTP
}

// maxSecretBytes bounds the first line of a rendezvous.
const maxSecretBytes = 512

// detectRendezvous tells a rendezvous from a request line, which has a space after
// the method; the line of a secret has none.
func detectRendezvous(first []byte) protocol {
	switch i := bytes.IndexAny(first, " \n"); {
	case i >= 0 && first[i] == '\n':
		return speaksOther
	case i >= 0 || len(first) > maxSecretBytes:
		return speaksHTTP // or nothing: the server refuses it
	}
	return undecided
}

// peek reads until detect knows.
func (s *sorter) peek(c net.Conn, detect func([]byte) protocol) (first []byte, isOther bool, err error) {
	if err := c.SetReadDeadline(time.Now().Add(s.headerTimeout())); err != nil {
		return nil, false, err
	}
	buf := make([]byte, 4096)
	n, said := 0, undecided
	for said == undecided {
		more, err := c.Read(buf[n:])
		if more == 0 && err != nil {
			return nil, false, err
		}
		n += more
		said = detect(buf[:n])
	}
	return buf[:n], said == speaksOther, c.SetReadDeadline(time.Time{})
}

// head is what was read of a connection to detect its protocol.
type head []byte

func (h *head) read(p []byte, rest io.Reader) (int, error) {
	if len(*h) == 0 {
		return rest.Read(p)
	}
	n := copy(p, *h)
	if *h = (*h)[n:]; len(*h) == 0 {
		*h = nil // let the buffer go
	}
	return n, nil
}

// tlsConn keeps what net/http uses of TLS: half-closing and the state, which
// makes Request.TLS.
type tlsConn struct {
	*tls.Conn
	head head
}

// Read reads the head first.
func (c *tlsConn) Read(p []byte) (int, error) { return c.head.read(p, c.Conn) }
