// Package front takes the platform's connections. A [Door] is one listener with
// an HTTP server behind it. Two clients speak something else on the ports of
// HTTP, for Heroku's do: SSH on the plain one, and on the TLS one the rendezvous
// of a one-off dyno, which sends no server name and then a secret. A door knows
// them by their first bytes and hands their connections to Other; net/http serves
// everything else, HTTP/2 included.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"renga"
)

// Door is one listener with what serves its connections.
type Door struct {
	Listener net.Listener
	// Server answers HTTP. Its ReadHeaderTimeout also bounds the handshake and
	// the first bytes.
	Server *http.Server
	// TLS is for HTTPS; nil for plain HTTP.
	TLS *tls.Config
	// Other serves a connection that does not speak HTTP, which is closed when it
	// returns. At the end, once the requests have finished, we close it under it.
	// Nil means that all speak HTTP.
	Other func(net.Conn)
	// Trusted are the balancers that may, but need not, tell the client's address
	// by the PROXY protocol.
	Trusted renga.Proxies
	// Limiter bounds the open connections; nil for no limits.
	Limiter *ConnLimiter
	// Idle is how long a client may send nothing in the middle of its request, and
	// take nothing of its answer (55 s).
	Idle time.Duration
	// ShutdownTimeout bounds the wait for requests to finish at the end.
	ShutdownTimeout time.Duration
}

// Run serves until ctx ends, then lets the requests under way finish.
func (d *Door) Run(ctx context.Context) error {
	if d.Limiter == nil {
		d.Limiter = NewConnLimiter(ConnLimits{}, slog.New(slog.DiscardHandler))
	}
	if d.Idle == 0 {
		d.Idle = defaultIdle
	}
	setTimeouts(d.Server, d.Idle)
	s := newSorter(d)
	handedOver, endHandedOver := context.WithCancel(context.WithoutCancel(ctx))
	s.start(handedOver)
	defer s.finish(endHandedOver)
	drainer := newConnDrainer(d.Server)
	ended := make(chan error, 1)
	go func() { ended <- d.Server.Serve(s) }() // waited for below
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", d.Listener.Addr(), err)
	case <-ctx.Done():
	}
	drainer.announce()
	s.pause()
	drainer.waitIdle()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.ShutdownTimeout)
	defer cancel()
	err := d.Server.Shutdown(stopping)
	_ = <-ended // http.ErrServerClosed, now
	if errors.Is(err, context.DeadlineExceeded) {
		return d.Server.Close()
	}
	return err
}
