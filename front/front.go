// Package front takes the platform's connections. A [Door] is one listener with
// an HTTP server behind it. Two clients speak something else on the ports of
// HTTP, for Heroku's do: SSH on the plain one, and on the TLS one the rendezvous
// of a one-off dyno, which sends no server name and then a secret. A door tells
// them by their first bytes and hands their connections to whoever knows them;
// all else is net/http's, HTTP/2 included.
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

// Door is one listener and what stands behind it.
type Door struct {
	Listener net.Listener
	// Server answers HTTP. Its ReadHeaderTimeout also bounds the handshake and
	// the first bytes.
	Server *http.Server
	// TLS makes it a door for HTTPS; nil for plain HTTP.
	TLS *tls.Config
	// Other gets the connections that speak no HTTP and returns when it is done
	// with one; the connection is closed then. At the end it is closed under it
	// once the requests have finished. Nil means that all is HTTP.
	Other func(net.Conn)
	// Trusted are the balancers that may say, by the PROXY protocol, whom a
	// connection comes from. They need not.
	Trusted renga.Proxies
	// Crowd bounds who is connected at a time; nil for no bounds.
	Crowd *Crowd
	// Idle is how long a client may be silent in the midst of its request, and
	// take nothing of its answer (55 s).
	Idle time.Duration
	// Patience is how long requests may take to finish at the end.
	Patience time.Duration
}

// Run serves until ctx ends, then lets the requests under way finish.
func (d *Door) Run(ctx context.Context) error {
	if d.Crowd == nil {
		d.Crowd = NewCrowd(Bounds{}, slog.New(slog.DiscardHandler))
	}
	if d.Idle == 0 {
		d.Idle = idle
	}
	attend(d.Server, d.Idle)
	s := newSorter(d)
	defer s.finish()
	bye := newFarewell(d.Server)
	ended := make(chan error, 1)
	go func() { ended <- d.Server.Serve(s) }() // waited for below
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", d.Listener.Addr(), err)
	case <-ctx.Done():
	}
	bye.say()
	s.pause()
	bye.quiet()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Patience)
	defer cancel()
	err := d.Server.Shutdown(stopping)
	_ = <-ended // http.ErrServerClosed, now
	if errors.Is(err, context.DeadlineExceeded) {
		return d.Server.Close()
	}
	return err
}
