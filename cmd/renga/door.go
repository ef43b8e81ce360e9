package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// door sends every request to the room that answers it, by host name. On the
// platform's own domain, on localhost and on bare addresses the path decides:
// /v2/ is the registry, the rest the API. Everything else is an app's.
type door struct {
	domain                string
	api, registry, router http.Handler
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.room(r).ServeHTTP(w, r)
}

func (d *door) room(r *http.Request) http.Handler {
	switch host := hostname(r.Host); {
	case host == "registry."+d.domain:
		return d.registry
	case host == "api."+d.domain:
		return d.api
	case host != d.domain && !local(host):
		return d.router
	case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
		return d.registry
	default:
		return d.api
	}
}

// hostname is a Host header without port, brackets and a final dot, in lower
// case.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// local tells whether the host names this machine rather than an app.
func local(host string) bool {
	_, err := netip.ParseAddr(host)
	return host == "localhost" || host == "" || err == nil
}
