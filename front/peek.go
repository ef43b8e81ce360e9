package front

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"time"
)

// verdict is what the first bytes of a connection tell.
type verdict int

const (
	undecided verdict = iota // more bytes are needed
	speaksHTTP
	speaksOther
)

// judgePlain tells SSH, whose clients speak first, from HTTP.
func judgePlain(first []byte) verdict {
	banner := []byte("SSH-2.0-")
	switch {
	case bytes.HasPrefix(first, banner):
		return speaksOther
	case bytes.HasPrefix(banner, first):
		return undecided
	}
	return speaksHTTP
}

// longestSecret bounds the first line of a rendezvous.
const longestSecret = 512

// judgeNameless tells a rendezvous from a request line: that has a space after
// the method, and a secret has none in its line.
func judgeNameless(first []byte) verdict {
	switch i := bytes.IndexAny(first, " \n"); {
	case i >= 0 && first[i] == '\n':
		return speaksOther
	case i >= 0 || len(first) > longestSecret:
		return speaksHTTP // or nothing: the server refuses it
	}
	return undecided
}

// peek reads until judge knows.
func (s *sorter) peek(c net.Conn, judge func([]byte) verdict) (first []byte, isOther bool, err error) {
	if err := c.SetReadDeadline(time.Now().Add(s.patience())); err != nil {
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
		said = judge(buf[:n])
	}
	return buf[:n], said == speaksOther, c.SetReadDeadline(time.Time{})
}

// head is what was read of a connection before its time.
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
