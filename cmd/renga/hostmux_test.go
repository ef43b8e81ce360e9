package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"renga"
)

func TestEveryRoomIsKnownByItsHost(t *testing.T) {
	room := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) })
	}
	d := &hostMux{domain: "renga.localhost", api: room("api"), registry: room("registry"), git: room("git"), router: room("router")}
	for _, c := range []struct{ host, path, want string }{
		{"localhost:5000", "/v2/", "registry"},
		{"localhost:5000", "/v2", "registry"},
		{"localhost:5000", "/v2x", "api"},
		{"localhost", "/apps", "api"},
		{"127.0.0.1:5000", "/v2/a/web/blobs/uploads/", "registry"},
		{"[::1]:5000", "/apps", "api"},
		{"renga.localhost:5000", "/apps", "api"},
		{"RENGA.localhost.", "/v2/", "registry"},
		{"api.renga.localhost", "/v2/", "api"},
		{"registry.renga.localhost:443", "/v2/", "registry"},
		{"registry.renga.localhost", "/hello.git/info/refs", "registry"},
		{"git.renga.localhost", "/hello.git/info/refs", "git"},
		{"git.renga.localhost:5443", "/apps", "git"},
		{"api.renga.localhost", "/hello.git/info/refs", "git"},
		{"localhost:5443", "/hello.git/git-receive-pack", "git"},
		{"127.0.0.1:5000", "/v2.git/info/refs", "git"},
		{"api.renga.localhost", "/hello.git", "api"},
		{"api.renga.localhost", "/apps/hello.git/info/refs", "api"},
		{"api.renga.localhost", "/Hello.git/info/refs", "api"},
		{"hello.renga.localhost", "/hello.git/info/refs", "router"},
		{"registry.renga.localhost", "/apps", "registry"},
		{"hello.renga.localhost:5000", "/v2/", "router"},
		{"hello.renga.localhost", "/", "router"},
		{"www.example.org", "/apps", "router"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x"+c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s%s went to the %s, want the %s", c.host, c.path, got, c.want)
		}
	}
}

// TestTheRoomsHearWhoTheClientIs asks over a connection from the loopback
// address, which is a trusted proxy's or not.
func TestTheRoomsHearWhoTheClientIs(t *testing.T) {
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, renga.WithoutPort(r.RemoteAddr), " ", r.Header.Get("X-Forwarded-Proto"))
	})
	for trusted, want := range map[string]map[string]string{
		"127.0.0.0/8": {"api": "1.2.3.4 https", "registry": "1.2.3.4 https", "git": "1.2.3.4 https",
			"hello": "127.0.0.1 https"},
		"10.0.0.0/8": {"api": "127.0.0.1 ", "registry": "127.0.0.1 ", "git": "127.0.0.1 ", "hello": "127.0.0.1 https"},
	} {
		d := &hostMux{domain: "renga.localhost", api: tell, registry: tell, git: tell, router: tell,
			trusted: renga.Proxies{netip.MustParsePrefix(trusted)}}
		server := httptest.NewServer(d)
		for name, who := range want {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = name + ".renga.localhost"
			r.Header.Set("X-Forwarded-For", "6.6.6.6, 1.2.3.4")
			r.Header.Set("X-Forwarded-Proto", "https")
			res, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if string(body) != who || err != nil {
				t.Errorf("%s, trusting %s: %q, %v, want %q", name, trusted, body, err, who)
			}
			_ = res.Body.Close() // it was read
		}
		server.Close()
	}
}
