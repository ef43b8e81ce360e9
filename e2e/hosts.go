package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// Option makes a platform special.
type Option func(testing.TB, *Platform)

// WithHosts makes a platform that is reached as people reach a platform: by names
// that every program on this machine resolves, on ports 80 and 443. It has a
// loopback address and a domain of its own, so that several may run at once.
// The names api, registry and git below the domain are known, and those in
// apps; they are in /etc/hosts while the platform is there, and tell the test's
// process. It needs root.
//
// The domain holds the word localhost, which the official CLI asks for, but
// does not end with it: curl and git would not ask for its address then.
func WithHosts(apps ...string) Option {
	return func(tb testing.TB, w *Platform) {
		tb.Helper()
		ip := freeIP(tb)
		w.hosts, w.apps = true, apps
		w.Domain = fmt.Sprintf("w%d-%.6s.localhost.test", os.Getpid(), w.id)
		w.TLSAddr = net.JoinHostPort(ip, "443")
		w.listen = w.Addr + "," + net.JoinHostPort(ip, "80")
	}
}

// WithFiles makes a platform that may have only so many files open.
func WithFiles(most int) Option {
	return func(_ testing.TB, w *Platform) { w.files = most }
}

// freeIP finds a loopback address whose ports 80 and 443 are free.
func freeIP(tb testing.TB) string {
	tb.Helper()
	var last error
	for range 100 {
		ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		if last = bindable(ip); last == nil {
			return ip
		}
	}
	tb.Fatalf("no loopback address with free ports 80 and 443 found in 100 tries: %v", last)
	return ""
}

func bindable(ip string) error {
	var all error
	for _, port := range []string{"80", "443"} {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err == nil {
			err = l.Close()
		}
		all = errors.Join(all, err)
	}
	return all
}

// CAFile is the certificate of the platform's own CA, in PEM. It is there once the
// platform has started.
func (w *Platform) CAFile() string { return filepath.Join(w.Dir, "ca.crt") }

// CA is a pool with the platform's own CA alone.
func (w *Platform) CA() (*x509.CertPool, error) {
	pem, err := os.ReadFile(w.CAFile())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(w.CAFile() + " holds no certificate")
	}
	return pool, nil
}

// tellHosts makes the machine resolve the platform's names, and waits until the
// engine does: it may look at the file only now and then.
func (w *Platform) tellHosts(ctx context.Context) error {
	_, stderr, err := w.Run(ctx, append([]string{"hosts", "--install"}, w.apps...)...)
	if err != nil {
		return fmt.Errorf("renga hosts: %w: %s", err, stderr)
	}
	return Poll(ctx, func() error { return w.login(ctx) })
}

func (w *Platform) forgetHosts(ctx context.Context) error {
	if !w.hosts {
		return nil
	}
	_, stderr, err := w.Run(ctx, "hosts", "--uninstall")
	if err != nil {
		return fmt.Errorf("renga hosts: %w: %s", err, stderr)
	}
	return nil
}
