package attach

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Heroku's CLI takes for granted what holds on Heroku: that PostgreSQL speaks TLS,
// and that Redis has one user. Through a tunnel, which is encrypted already, the
// platform answers for the service.

// halfCloser is a connection of which one way can end before the other.
type halfCloser interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// ease has a client find what it takes for granted.
func (d *Server) ease(s Service, client halfCloser) (halfCloser, error) {
	switch s.Scheme {
	case "postgres", "postgresql":
		return easePostgres(client)
	case "redis":
		return &easedRedis{halfCloser: client, from: bufio.NewReaderSize(client, maxAuthLine), user: s.User}, nil
	}
	return client, nil
}

// What a client of PostgreSQL may ask before it begins.
const (
	askLength = 8
	askTLS    = 80877103
	askGSS    = 80877104
)

// easePostgres gives a client TLS if it asks for it, with a certificate of the
// moment: such clients look at none.
func easePostgres(client halfCloser) (halfCloser, error) {
	late := time.AfterFunc(handshakeTime, func() { _ = client.Close() }) // it may have ended
	defer late.Stop()
	for range 2 { // one of each
		ask := make([]byte, askLength)
		if _, err := io.ReadFull(client, ask); err != nil {
			return nil, err
		}
		length, code := binary.BigEndian.Uint32(ask), binary.BigEndian.Uint32(ask[4:])
		switch {
		case length == askLength && code == askGSS:
			if _, err := client.Write([]byte("N")); err != nil {
				return nil, err
			}
		case length == askLength && code == askTLS:
			return serveTLS(client)
		default:
			return begun{client, io.MultiReader(bytes.NewReader(ask), client)}, nil
		}
	}
	return nil, errors.New("the client of PostgreSQL asks without end")
}

// begun is a connection of which some was read already.
type begun struct {
	halfCloser
	from io.Reader
}

// Read gives what was read, and then the rest.
func (b begun) Read(p []byte) (int, error) { return b.from.Read(p) }

func serveTLS(client halfCloser) (halfCloser, error) {
	certificate, err := ownCertificate()
	if err != nil {
		return nil, err
	}
	if _, err := client.Write([]byte("S")); err != nil {
		return nil, err
	}
	secured := tls.Server(netConn{client}, &tls.Config{Certificates: []tls.Certificate{certificate}})
	return &easedTLS{Conn: secured, client: client}, secured.Handshake()
}

// easedTLS is TLS with a client. One that has ended is told nothing more, as TLS would have
// it: the socket behind Heroku's CLI is closed by then, and the CLI crashes with what comes
// for it.
type easedTLS struct {
	*tls.Conn
	client halfCloser
	ended  atomic.Bool
}

// Read gives what the client says.
func (e *easedTLS) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if err != nil {
		e.ended.Store(true)
	}
	return n, err
}

// CloseWrite says that there will be no more.
func (e *easedTLS) CloseWrite() error {
	if e.ended.Load() {
		return e.client.CloseWrite()
	}
	return e.Conn.CloseWrite()
}

// Close ends the connection.
func (e *easedTLS) Close() error {
	if e.ended.Load() {
		return e.client.Close()
	}
	return e.Conn.Close()
}

// ownCertificate is made once, when it is needed first.
var ownCertificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(20, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

// netConn has what crypto/tls asks of a connection. Its deadlines do nothing:
// whoever uses it closes what takes too long.
type netConn struct{ halfCloser }

// LocalAddr is nothing's.
func (netConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is nothing's.
func (netConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline does nothing.
func (netConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (netConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (netConn) SetWriteDeadline(time.Time) error { return nil }

// maxAuthLine bounds a line that tells a password.
const maxAuthLine = 4 << 10

// easedRedis adds the user to a password that a client tells alone, in its first line.
type easedRedis struct {
	halfCloser
	from  *bufio.Reader
	user  string
	begun bool
	first []byte // what is to be read before the rest
}

// Read gives what the client says.
func (e *easedRedis) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		if err := e.readFirst(); err != nil {
			return 0, err
		}
	}
	if len(e.first) > 0 {
		n := copy(p, e.first)
		e.first = e.first[n:]
		return n, nil
	}
	return e.from.Read(p)
}

// readFirst reads the first line if it is one of plain words, as people type them.
func (e *easedRedis) readFirst() error {
	start, err := e.from.Peek(1)
	if err != nil || start[0] != 'A' && start[0] != 'a' {
		return err
	}
	line, err := e.from.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	e.first = bytes.Clone(line)
	if words := bytes.Fields(line); err == nil && len(words) == 2 && bytes.EqualFold(words[0], []byte("AUTH")) {
		e.first = fmt.Appendf(nil, "AUTH %s %s\r\n", e.user, words[1])
	}
	return nil
}
