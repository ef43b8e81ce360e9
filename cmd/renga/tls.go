package main

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/certs"
	"renga/store"
)

// caFile is the local CA's certificate. It is no secret; the key is in keys/.
func (s *Settings) caFile() string { return s.path("ca.crt") }

// openCerts opens everything that TLS needs; the local CA is made at the first
// start. What becomes of orders is told to w.
func openCerts(s Settings, db *store.Store, w certs.Watcher, log *slog.Logger) (*certs.Certs, error) {
	ca, err := certs.OpenCA(s.path("keys", "ca.key"), s.caFile(), time.Now())
	if err != nil {
		return nil, err
	}
	host, httpPort := hostPort(s.Listen)
	_, tlsPort := hostPort(s.ListenTLS)
	domains := store.NewHosts(db)
	return certs.New(certs.Options{
		Domain: s.Domain, IPs: listenIPs(s), CA: ca, CertFile: s.TLSCert, KeyFile: s.TLSKey, Log: log,
		ACME: certs.ACME{
			Directory: s.ACMEDirectory, Email: s.ACMEEmail, RootFile: s.ACMERoot, Dir: s.path("keys", "acme"),
			Host: host, HTTPPort: httpPort, TLSPort: tlsPort,
		},
	}, ownHosts{Hosts: domains, apps: db, domain: s.Domain}, domains, w)
}

// hostPort takes the first of several addresses apart.
func hostPort(addresses []string) (host string, port int) {
	if len(addresses) == 0 {
		return "", 0
	}
	host, text, _ := net.SplitHostPort(addresses[0]) // validated
	port, _ = strconv.Atoi(text)                     // a name of a port is 0, certmagic's default
	return host, port
}

// listenIPs are the addresses that clients may use in place of a name.
func listenIPs(s Settings) []net.IP {
	var ips []net.IP
	for _, address := range s.ListenTLS {
		host, _, _ := net.SplitHostPort(address) // validated
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			ips = append(ips, ip)
		}
	}
	return ips
}

// ownHosts are the apps' default hosts and the custom domains.
type ownHosts struct {
	*store.Hosts
	apps   *store.Store
	domain string
}

func (o ownHosts) IsManaged(ctx context.Context, host string) (bool, error) {
	name, below := strings.CutSuffix(host, "."+o.domain)
	if !below {
		return o.Hosts.IsManaged(ctx, host)
	}
	if renga.ValidateAppName(name) != nil {
		return false, nil
	}
	_, err := o.apps.AppByName(ctx, name)
	if renga.KindOf(err) == renga.NotFound {
		return false, nil
	}
	return err == nil, err
}
