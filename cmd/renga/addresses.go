package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"renga"
)

// registryAddress is where the engine reaches the registry.
func (s *Settings) registryAddress() string {
	if s.RegistryAddress != "" {
		return s.RegistryAddress
	}
	return reachable(s.Listen[0])
}

// ownRegistry tells whether a host name, with or without a port, is this platform's
// own. What its addresses are is the business of egress.
func (s *Settings) ownRegistry(host string) bool {
	name := renga.Hostname(host)
	return name == s.Domain || strings.HasSuffix(name, "."+s.Domain)
}

// reachable is a listen address as clients on this machine write it.
func reachable(address string) string {
	host, port, _ := net.SplitHostPort(address) // validated
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// front is how the platform's names are reached: by HTTPS when it is served.
// The port is empty when it is the scheme's own.
func (s *Settings) front() (scheme, port string) {
	scheme, own, at := "http", "80", s.Listen
	if len(s.ListenTLS) > 0 {
		scheme, own, at = "https", "443", s.ListenTLS
	}
	_, port, _ = net.SplitHostPort(at[0]) // validated
	if port == own {
		port = ""
	}
	return scheme, port
}

// rendezvousPort is where Heroku's CLI attaches to dynos: it wants TLS, and the
// port's number even when it is the usual one. Empty when there is none.
func (s *Settings) rendezvousPort() string {
	if len(s.ListenTLS) == 0 {
		return ""
	}
	_, port, _ := net.SplitHostPort(s.ListenTLS[0]) // validated
	return port
}

// path is a place below the data directory.
func (s *Settings) path(parts ...string) string {
	return filepath.Join(append([]string{s.Data}, parts...)...)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
