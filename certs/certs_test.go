package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga/certs"
)

const domain = "renga.test"

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// ours are the hosts that are ours.
type ours []string

func (o ours) IsManaged(_ context.Context, host string) (bool, error) {
	if host == "unknown.example" {
		return false, errors.New("nobody can say")
	}
	return slices.Contains(o, host), nil
}

func (ours) Managed(context.Context) ([]string, error) { return nil, nil }

// ownCerts are domains' own certificates.
type ownCerts map[string]*tls.Certificate

func (o ownCerts) Certificate(_ context.Context, host string) (*tls.Certificate, error) {
	return o[host], nil
}

// fixture is a data directory of a test.
type fixture struct {
	dir   string
	clock *clock
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{t.TempDir(), &clock{at: time.Now()}}
}

func (p *fixture) path(name string) string { return filepath.Join(p.dir, name) }

func (p *fixture) ca(t *testing.T) *certs.CA {
	t.Helper()
	ca, err := certs.OpenCA(p.path("keys/ca.key"), p.path("ca.crt"), p.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func (p *fixture) open(t *testing.T, change func(*certs.Options), e certs.Endpoints) *certs.Certs {
	t.Helper()
	o := certs.Options{Domain: domain, CA: p.ca(t), Log: slog.New(slog.DiscardHandler), Now: p.clock.now}
	if change != nil {
		change(&o)
	}
	c, err := certs.New(o, ours{"hello." + domain, "www.example.org"}, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shake is the certificate that a client of that server name gets, and what
// the client thinks of it.
func shake(t *testing.T, c *certs.Certs, name string, client *tls.Config) (*x509.Certificate, error) {
	t.Helper()
	here, there := net.Pipe()
	server := tls.Server(there, c.TLSConfig())
	done := make(chan error, 1)
	go func() { done <- server.HandshakeContext(t.Context()) }()
	client = client.Clone()
	client.ServerName = name
	var got *x509.Certificate
	client.VerifyConnection = func(s tls.ConnectionState) error {
		got = s.PeerCertificates[0]
		return nil
	}
	conn := tls.Client(here, client)
	err := conn.HandshakeContext(t.Context())
	_ = here.Close() // a pipe
	_ = <-done       // the client's error says more
	return got, err
}

func TestTheLocalCACoversThePlatformsNames(t *testing.T) {
	p := newFixture(t)
	ca := p.ca(t)
	c := p.open(t, func(o *certs.Options) { o.IPs = []net.IP{net.IPv4(127, 1, 2, 3)} }, nil)
	trusting := &tls.Config{RootCAs: ca.Pool(), Time: p.clock.now}
	for _, name := range []string{
		domain, "api." + domain, "registry." + domain, "git." + domain, "hello." + domain, "never-heard." + domain,
		"localhost", "www.example.org", "API." + domain, "127.0.0.1", "::1", "127.1.2.3",
	} {
		if _, err := shake(t, c, name, trusting); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"other.example.org", "unknown.example", "a.b." + domain, "127.9.9.9"} {
		if _, err := shake(t, c, name, trusting); err == nil {
			t.Errorf("%s got a good certificate, and is not ours", name)
		}
	}
}

func TestClientsWithoutANameGetTheAPIsCertificate(t *testing.T) {
	p := newFixture(t)
	got, err := shake(t, p.open(t, nil, nil), "", &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api." + domain, "localhost", "127.0.0.1", "::1"} {
		if err := got.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

func TestCertificatesAreRenewedByThemselves(t *testing.T) {
	p := newFixture(t)
	trusting := &tls.Config{RootCAs: p.ca(t).Pool(), Time: p.clock.now}
	c := p.open(t, nil, nil)
	serials := map[string]bool{}
	for range 365 {
		got, err := shake(t, c, "api."+domain, trusting)
		if err != nil {
			t.Fatalf("on %s: %v", p.clock.now(), err)
		}
		serials[got.SerialNumber.String()] = true
		p.clock.advance(24 * time.Hour)
	}
	if n := len(serials); n < 5 || n > 8 {
		t.Errorf("%d certificates in a year", n)
	}
}

func TestTheCAOutlivesStarts(t *testing.T) {
	p := newFixture(t)
	first := p.ca(t)
	info, err := os.Stat(p.path("keys/ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, err %v", info.Mode(), err)
	}
	trusting := &tls.Config{RootCAs: first.Pool(), Time: p.clock.now}
	if _, err := shake(t, p.open(t, nil, nil), "api."+domain, trusting); err != nil {
		t.Errorf("after another start: %v", err)
	}
	if err := os.Remove(p.path("ca.crt")); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, p.open(t, nil, nil), "api."+domain, trusting); err != nil {
		t.Errorf("after the loss of the certificate: %v", err)
	}
	p.clock.advance(9*365*24*time.Hour + time.Hour)
	if _, err := shake(t, p.open(t, nil, nil), "api."+domain, trusting); err != nil {
		t.Errorf("after nine years, when the certificate is made again: %v", err)
	}
}

func TestADamagedOrOpenCAIsRefusedWithAReason(t *testing.T) {
	for _, c := range []struct {
		name, file, content, want string
		mode                      os.FileMode
	}{
		{"key read by all", "keys/ca.key", "", "chmod 600", 0o644},
		{"no key", "keys/ca.key", "nothing\n", "is damaged", 0o600},
		{
			"another block", "keys/ca.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is damaged",
			0o600,
		},
		{"no certificate", "ca.crt", "nothing\n", "is damaged", 0o644},
	} {
		p := newFixture(t)
		p.ca(t)
		if c.content != "" {
			if err := os.WriteFile(p.path(c.file), []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(p.path(c.file), c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := certs.OpenCA(p.path("keys/ca.key"), p.path("ca.crt"), p.clock.now())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestADomainsOwnCertificateComesFirst(t *testing.T) {
	p, other := newFixture(t), newFixture(t)
	own := ownCerts{
		"www.example.org": certOf(t, other, "www.example.org"), "hello." + domain: certOf(t, other, "hello."+domain),
	}
	c := p.open(t, nil, own)
	if _, err := shake(t, c, "www.example.org", &tls.Config{RootCAs: other.ca(t).Pool()}); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := shake(t, c, "hello."+domain, &tls.Config{RootCAs: p.ca(t).Pool()}); err != nil {
		t.Errorf("what is below the platform's domain is the platform's: %v", err)
	}
}

// certOf is a certificate for a host by the CA of a place.
func certOf(t *testing.T, p *fixture, host string) *tls.Certificate {
	t.Helper()
	cert, err := p.ca(t).Issue([]string{host}, nil, p.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestFilesComeBeforeTheLocalCAAndAreReadAgain(t *testing.T) {
	p, first, second := newFixture(t), newFixture(t), newFixture(t)
	writePair(t, p, certOf(t, first, "*."+domain))
	c := p.open(t, func(o *certs.Options) { o.CertFile, o.KeyFile = p.path("tls.crt"), p.path("tls.key") }, nil)
	by := func(name string, want *fixture) {
		t.Helper()
		if _, err := shake(t, c, name, &tls.Config{RootCAs: want.ca(t).Pool(), Time: p.clock.now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	by("hello."+domain, first)
	by("localhost", p)
	if got, err := shake(t, c, "", &tls.Config{InsecureSkipVerify: true}); err != nil ||
		got.VerifyHostname("api."+domain) != nil || got.VerifyHostname("localhost") == nil {
		t.Errorf("without a name it is not the file's: %v", err)
	}
	if err := os.WriteFile(p.path("tls.crt"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(time.Minute)
	by("hello."+domain, first)
	writePair(t, p, certOf(t, second, "*."+domain))
	p.clock.advance(time.Minute)
	by("hello."+domain, second)
}

func writePair(t *testing.T, p *fixture, cert *tls.Certificate) {
	t.Helper()
	chain, key, err := certs.EncodePair(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(p.path("tls.crt"), chain, 0o600),
		os.WriteFile(p.path("tls.key"), key, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatDoNotFitAreRefused(t *testing.T) {
	p := newFixture(t)
	writePair(t, p, certOf(t, p, domain))
	key, err := os.ReadFile(p.path("tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, p, certOf(t, p, domain))
	if err := os.WriteFile(p.path("tls.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = certs.New(certs.Options{Domain: domain, CA: p.ca(t), CertFile: p.path("tls.crt"), KeyFile: p.path("tls.key")},
		ours{}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "tls.key cannot be used") {
		t.Errorf("New: %v", err)
	}
}
