package front

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// sorter is the listener that the HTTP server sees: it gives the server the
// connections that speak HTTP, and the others to [Door.Other]. Each connection is
// sorted on a goroutine of its own, so a silent peer holds up nobody.
type sorter struct {
	net.Listener
	door  *Door
	ready chan accepted // unbuffered: the server's back-off holds the loop, too

	closing   sync.Once
	closed    chan struct{} // with the listener
	work      sync.WaitGroup
	detecting sync.WaitGroup // the loop, and the connections that it accepted
}

type accepted struct {
	conn net.Conn
	err  error
}

func newSorter(d *Door) *sorter {
	return &sorter{
		Listener: d.Listener,
		door:     d,
		ready:    make(chan accepted),
		closed:   make(chan struct{}),
	}
}

// start accepts connections until Close. Those that are handed over are closed when
// ctx ends.
func (s *sorter) start(ctx context.Context) {
	listening, stop := context.WithCancel(ctx)
	s.work.Go(func() {
		<-s.closed
		stop()
	})
	s.detecting.Add(1)
	s.work.Go(func() { s.loop(listening, ctx) })
}

// Accept returns the next connection that speaks HTTP.
func (s *sorter) Accept() (net.Conn, error) {
	select {
	case next := <-s.ready:
		return next.conn, next.err
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close stops listening. Connections whose first bytes have not come yet are
// closed, as those in the system's queue are.
func (s *sorter) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return s.Listener.Close()
}

// pause stops accepting, without giving up the port: new connections wait in the
// system's queue. It returns when the server has what was accepted before.
func (s *sorter) pause() {
	l, ok := s.Listener.(interface{ SetDeadline(t time.Time) error })
	if !ok || l.SetDeadline(time.Unix(1, 0)) != nil {
		return
	}
	sorted := make(chan struct{})
	s.work.Go(func() {
		s.detecting.Wait()
		close(sorted)
	})
	select {
	case <-sorted:
	case <-time.After(lastRequestTime):
	}
}

// finish closes what was handed over and waits for all goroutines.
func (s *sorter) finish(endHandedOver context.CancelFunc) {
	_ = s.Close() // mostly a second time
	endHandedOver()
	s.work.Wait()
}

// loop accepts until the listener is closed.
func (s *sorter) loop(listening, handedOver context.Context) {
	defer s.detecting.Done()
	for !s.isClosed() {
		c, err := s.Listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) { // paused, until it is closed
			return
		}
		if err != nil {
			s.deliver(accepted{err: err})
			continue
		}
		s.admit(listening, handedOver, c)
	}
}

func (s *sorter) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// admit counts a connection and has it sorted. A balancer's is counted later, for
// the client that its PROXY header names.
func (s *sorter) admit(listening, handedOver context.Context, accepted net.Conn) {
	tcp, ok := accepted.(*net.TCPConn)
	if !ok {
		_ = accepted.Close() // there are no such listeners
		return
	}
	addr := addrOf(tcp.RemoteAddr())
	isTrusted := s.door.Trusted.Trust(addr.String())
	if isTrusted {
		addr = netip.Addr{}
	}
	cl, ok := s.door.Limiter.add(tcp, addr)
	if !ok {
		_ = tcp.Close() // it was told nothing
		return
	}
	s.detecting.Add(1)
	c := &plainConn{TCPConn: tcp, client: cl, writeTimeout: s.door.Idle}
	s.work.Go(func() { s.sort(listening, handedOver, c, isTrusted) })
}

// deliver gives the server what it waits for in Accept, and tells whether it
// took it.
func (s *sorter) deliver(next accepted) bool {
	select {
	case s.ready <- next:
		return true
	case <-s.closed:
		return false
	}
}

// sort gives one connection to the server or to Other.
func (s *sorter) sort(listening, handedOver context.Context, c *plainConn, isTrusted bool) {
	stop := context.AfterFunc(listening, func() { _ = c.Close() }) // nothing was answered
	found, isOther, err := net.Conn(c), false, error(nil)
	if isTrusted {
		err = s.readProxyHeader(c)
	}
	if err == nil {
		found, isOther, err = s.detect(listening, c)
	}
	stays := stop() && err == nil
	if !stays || !isOther && !s.deliver(accepted{conn: found}) {
		_ = c.Close() // the peer left, stayed silent, or came too late
	}
	s.detecting.Done()
	if stays && isOther {
		c.writeTimeout = 0 // Other sets its own
		c.client.beginWork()
		s.handOver(handedOver, found)
	}
}

// handOver has Other serve the connection.
func (s *sorter) handOver(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // cut, as said in Door
	defer stop()
	s.door.Other(c)
	_ = c.Close() // Other may have closed it
}

// detect finds out what a connection speaks. The connection that it returns has
// all of its bytes still to be read.
func (s *sorter) detect(ctx context.Context, c *plainConn) (found net.Conn, isOther bool, err error) {
	switch {
	case s.door.TLS != nil && s.door.Other != nil:
		return s.detectTLS(ctx, tls.Server(c, s.door.TLS))
	case s.door.TLS != nil:
		return tls.Server(c, s.door.TLS), false, nil // the server shakes hands
	case s.door.Other != nil:
		return s.detectPlain(c)
	default:
		return c, false, nil
	}
}

func (s *sorter) detectPlain(c *plainConn) (net.Conn, bool, error) {
	first, isOther, err := s.peek(c, detectSSH)
	c.head = append(first, c.head...)
	return c, isOther, err
}

// detectTLS shakes hands. A handshake that goes wrong is the server's to tell: a
// second one returns the error of the first.
func (s *sorter) detectTLS(ctx context.Context, c *tls.Conn) (net.Conn, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.headerTimeout())
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return c, false, nil //nolint:nilerr // the server's, see above
	}
	if state := c.ConnectionState(); state.ServerName != "" || state.NegotiatedProtocol != "" {
		return c, false, nil
	}
	first, isOther, err := s.peek(c, detectRendezvous)
	return &tlsConn{c, first}, isOther, err
}

// headerTimeout is how long a peer may take to send its first bytes.
func (s *sorter) headerTimeout() time.Duration {
	if t := s.door.Server.ReadHeaderTimeout; t > 0 {
		return t
	}
	return 30 * time.Second
}
