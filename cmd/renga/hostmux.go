package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"renga"
	"renga/git"
)

// hostMux sends every request to the room that answers it, by host name. On the
// platform's own domain, on localhost and on bare addresses the path decides:
// /v2/ is the registry, /<app>.git/ is git, the rest the API, which has git's
// paths on its own host, too. Everything else is an app's.
type hostMux struct {
	domain                     string
	api, registry, git, router http.Handler
	trusted                    renga.Proxies
}

func (m *hostMux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if host := renga.Hostname(r.Host); m.isApps(host) {
		m.router.ServeHTTP(w, r)
	} else {
		m.setClient(r)
		m.handlerFor(host, r.URL.Path).ServeHTTP(w, r)
	}
}

// isApps tells whether a host is an app's, and not the platform's own.
func (m *hostMux) isApps(host string) bool {
	switch host {
	case m.domain, "api." + m.domain, "registry." + m.domain, "git." + m.domain:
		return false
	}
	return !local(host)
}

// setClient tells the platform's own rooms who the client is: what a trusted
// proxy says, and what anybody else says not. The router, which passes on what
// was said, sees to it itself.
func (m *hostMux) setClient(r *http.Request) {
	if !m.trusted.Trust(r.RemoteAddr) {
		r.Header.Del("X-Forwarded-Proto")
		return
	}
	r.RemoteAddr = net.JoinHostPort(m.trusted.Client(r.RemoteAddr, r.Header["X-Forwarded-For"]), "0")
}

func (m *hostMux) handlerFor(host, path string) http.Handler {
	switch {
	case host == "registry."+m.domain:
		return m.registry
	case host == "git."+m.domain, git.Repository.MatchString(path):
		return m.git
	case host == "api."+m.domain:
		return m.api
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		return m.registry
	default:
		return m.api
	}
}

// local tells whether the host names this machine rather than an app.
func local(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || host == "" || err == nil
}
