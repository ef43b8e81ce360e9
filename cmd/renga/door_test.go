package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTheDoorKnowsEveryRoomByItsHost(t *testing.T) {
	room := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) })
	}
	d := &door{domain: "renga.localhost", api: room("api"), registry: room("registry"), router: room("router")}
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
