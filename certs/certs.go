// Package certs keeps the platform's TLS certificates and picks one for every
// handshake: a custom domain's own, or else one from files, one ordered by
// ACME, or one of the local CA. Clients that send no server name get the API's.
//
// The local CA is made once, in the data directory. What it issues is in memory
// only. Everything is renewed in time: certificates are issued and ordered
// again before they end, and files are read again when they change.
package certs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Endpoints keeps the certificates that belong to custom domains.
type Endpoints interface {
	// Certificate is nil where the host has none of its own.
	Certificate(ctx context.Context, host string) (*tls.Certificate, error)
}

// Hosts knows which hosts get certificates from us, beside the platform's own
// names.
type Hosts interface {
	// IsManaged tells whether the host is an app's default one, or a custom domain
	// whose certificates are managed.
	IsManaged(ctx context.Context, host string) (bool, error)
	// Managed lists the hosts whose certificates are ordered without waiting for
	// a client: the custom domains whose certificates are managed.
	Managed(ctx context.Context) ([]string, error)
}

// Options say what the certificates are for and where they come from.
type Options struct {
	// Domain is the platform's, in lower case.
	Domain string
	// IPs are addresses beside the loopback ones that clients use as host.
	IPs []net.IP
	CA  *CA
	// CertFile and KeyFile hold a certificate with its chain, and its key, in
	// PEM; both empty for none.
	CertFile, KeyFile string
	// ACME orders certificates when its Directory is set.
	ACME ACME
	Log  *slog.Logger
	Now  func() time.Time // the clock; nil for the real one
}

// Certs has a certificate for every handshake. All methods may be called at
// once from several goroutines.
type Certs struct {
	o         Options
	hosts     Hosts
	endpoints Endpoints
	local     *issued
	files     *pair   // nil without files
	orders    *orders // nil without ACME
}

// New reads the files and prepares the rest. Endpoints and Watcher may be nil.
func New(o Options, h Hosts, e Endpoints, w Watcher) (*Certs, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Certs{o: o, hosts: h, endpoints: e, local: newIssued(o.CA, o.Now)}
	if o.CertFile != "" {
		files, err := openPair(o.CertFile, o.KeyFile, o.Now, o.Log)
		if err != nil {
			return nil, err
		}
		c.files = files
	}
	if o.ACME.Directory != "" {
		orders, err := newOrders(o, c.mayOrder, w)
		if err != nil {
			return nil, err
		}
		c.orders = orders
	}
	return c, nil
}

// Run orders the certificates of managed hosts, and drops those that are no
// longer managed, until ctx ends.
func (c *Certs) Run(ctx context.Context) error {
	if c.orders == nil {
		<-ctx.Done()
		return nil
	}
	return c.orders.run(ctx, c.managed)
}

// TLSConfig is for listeners of HTTP/2 and HTTP/1.1.
func (c *Certs) TLSConfig() *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.certificate,
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if c.orders != nil {
		config.NextProtos = append(config.NextProtos, challengeProtocol)
	}
	return config
}

// Challenges answers ACME's questions over plain HTTP and passes on all else.
func (c *Certs) Challenges(next http.Handler) http.Handler {
	if c.orders == nil {
		return next
	}
	return c.orders.issuer.HTTPChallengeHandler(next)
}

// Order asks for a certificate of a host soon: for a custom domain that has
// just become managed, or that failed and is to be tried again now.
func (c *Certs) Order(host string) {
	if c.orders != nil {
		c.orders.restart(canonical(host))
	}
}

// certificate picks one for a handshake.
func (c *Certs) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := canonical(hello.ServerName)
	switch {
	case c.orders != nil && isChallenge(hello):
		return c.orders.config.GetCertificate(hello)
	case host == "":
		return c.withoutSNI(hello)
	case c.isPlatformName(host):
		return c.forPlatform(hello, host)
	default:
		return c.forDomain(hello, host)
	}
}

// withoutSNI is for clients that send no server name: they want the API, or an
// address of this machine.
func (c *Certs) withoutSNI(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	api := "api." + c.o.Domain
	if found := c.files.certFor(api); found != nil {
		return found, nil
	}
	if c.orders != nil {
		if found := c.orders.certFor(hello, api); found != nil {
			return found, nil
		}
	}
	return c.local.own(c.ownNames(), c.ownIPs())
}

// forPlatform is for the platform's domain, all below it, and localhost.
func (c *Certs) forPlatform(hello *tls.ClientHelloInfo, host string) (*tls.Certificate, error) {
	if found := c.files.certFor(host); found != nil {
		return found, nil
	}
	if found := c.ordered(hello, host); found != nil {
		return found, nil
	}
	return c.local.own(c.ownNames(), c.ownIPs())
}

// forDomain is for everything else. A host that is not ours gets the
// certificate for clients without a server name, which its clients refuse.
func (c *Certs) forDomain(hello *tls.ClientHelloInfo, host string) (*tls.Certificate, error) {
	ctx := hello.Context()
	if own := c.own(ctx, host); own != nil {
		return own, nil
	}
	if found := c.files.certFor(host); found != nil {
		return found, nil
	}
	if found := c.ordered(hello, host); found != nil {
		return found, nil
	}
	if ours, err := c.hosts.IsManaged(ctx, host); err == nil && ours {
		return c.local.certFor(host)
	}
	return c.withoutSNI(hello)
}

// own is the domain's own certificate; nil when it has none, or when that cannot
// be found out.
func (c *Certs) own(ctx context.Context, host string) *tls.Certificate {
	if c.endpoints == nil {
		return nil
	}
	own, err := c.endpoints.Certificate(ctx, host)
	if err != nil {
		c.o.Log.Error("look for a domain's certificate", "host", host, "err", err)
		return nil
	}
	return own
}

// ordered is a certificate by ACME, and orders it if need be; nil if the host
// may not have one, or there is none yet.
func (c *Certs) ordered(hello *tls.ClientHelloInfo, host string) *tls.Certificate {
	if c.orders == nil {
		return nil
	}
	if found := c.orders.certFor(hello, host); found != nil {
		return found
	}
	if !c.mayOrder(hello.Context(), host) {
		return nil
	}
	return c.orders.wait(hello, host)
}

// mayOrder tells whether the host gets certificates from us; false if that
// cannot be found out.
func (c *Certs) mayOrder(ctx context.Context, host string) bool {
	for _, name := range c.platformHosts() {
		if name == host {
			return true
		}
	}
	ours, err := c.hosts.IsManaged(ctx, host)
	if err != nil {
		c.o.Log.Error("look whose a host is", "host", host, "err", err)
	}
	return err == nil && ours
}

// managed are the hosts that are to have a certificate before anybody comes.
func (c *Certs) managed(ctx context.Context) ([]string, error) {
	hosts, err := c.hosts.Managed(ctx)
	return append(c.platformHosts(), hosts...), err
}

func (c *Certs) platformHosts() []string {
	d := c.o.Domain
	return []string{"api." + d, "registry." + d, "git." + d, d}
}

func (c *Certs) ownNames() []string {
	return append(c.platformHosts(), "*."+c.o.Domain, "localhost")
}

func (c *Certs) ownIPs() []net.IP {
	return append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, c.o.IPs...)
}

func (c *Certs) isPlatformName(host string) bool {
	return host == "localhost" || host == c.o.Domain || strings.HasSuffix(host, "."+c.o.Domain)
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
