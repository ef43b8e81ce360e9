package router_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renga"
	"renga/router"
)

// routeHosts gives an app of that name, which has no dyno, some hosts.
func routeHosts(rt *router.Router, name string, hosts ...string) {
	rt.Route(renga.Route{App: renga.AppID(name), Name: name, Hosts: hosts, Idle: renga.IdleBlank})
}

// appAt is the name of the app that a host leads to.
func (f *fixture) appAt(t *testing.T, host string) string {
	t.Helper()
	r := f.request(t, http.MethodGet, "/", nil)
	r.Host = host
	f.do(t, r)
	return f.record(t).AppName
}

func TestTheVeryNameComesBeforeTheLongestWildcard(t *testing.T) {
	f := newFixture(t, router.Options{})
	routeHosts(f.Router, "exact", "www.shop.example.com")
	routeHosts(f.Router, "long", "*.shop.example.com")
	routeHosts(f.Router, "short", "*.example.com")
	for host, app := range map[string]string{
		"www.shop.example.com":                           "exact",
		"WWW.Shop.Example.com.:80":                       "exact",
		"api.shop.example.com":                           "long",
		"a.b.shop.example.com":                           "long",
		"shop.example.com":                               "short",
		"a.example.com":                                  "short",
		"example.com":                                    "",
		"an-example.com":                                 "",
		"a.example.com.evil.org":                         "",
		strings.Repeat("a.", 130) + "example.com":        "",
		strings.Repeat("a.", 100) + "shop.example.com:1": "long",
	} {
		if got := f.appAt(t, host); got != app {
			t.Errorf("%s leads to %q, want %q", host, got, app)
		}
	}
}

func TestAWildcardEndsWithItsRouteAndChangesHands(t *testing.T) {
	f := newFixture(t, router.Options{})
	routeHosts(f.Router, "old", "old.renga.localhost", "*.example.com")
	routeHosts(f.Router, "new", "new.renga.localhost", "*.example.com")
	routeHosts(f.Router, "old", "old.renga.localhost")
	if got := f.appAt(t, "www.example.com"); got != "new" {
		t.Errorf("it leads to %q", got)
	}
	routeHosts(f.Router, "new", "new.renga.localhost")
	if got := f.appAt(t, "www.example.com"); got != "" {
		t.Errorf("it leads to %q after the wildcard went", got)
	}
}

func TestARequestOverAConnectionForAnotherAppIsMisdirected(t *testing.T) {
	rt := router.New(router.Options{})
	routeHosts(rt, "one", "one.example.com", "*.one.example.com")
	routeHosts(rt, "two", "two.example.com")
	for _, test := range []struct {
		named, host string
		status      int
	}{
		{"one.example.com", "two.example.com", http.StatusMisdirectedRequest},
		{"a.one.example.com", "two.example.com", http.StatusMisdirectedRequest},
		{"one.example.com", "One.example.com:443", http.StatusServiceUnavailable},
		{"one.example.com", "b.one.example.com", http.StatusServiceUnavailable},
		{"", "two.example.com", http.StatusServiceUnavailable},
		{"nobody.example.com", "two.example.com", http.StatusServiceUnavailable},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host, r.TLS = test.host, &tls.ConnectionState{ServerName: test.named}
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s over a connection for %q gets %d, want %d", test.host, test.named, w.Code, test.status)
		}
	}
}
