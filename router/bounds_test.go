package router_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"renga/router"
)

func TestRequestsOverALimitAreH26AndReachNoDyno(t *testing.T) {
	f := newFixture(t, router.Options{})
	reached := make(chan struct{}, 100)
	f.serve(backend(t, func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	long := func(n int) string { return strings.Repeat("x", n) }
	for what, change := range map[string]func(*http.Request){
		"request line": func(r *http.Request) { r.URL.Path = "/" + long(8192) },
		"method":       func(r *http.Request) { r.Method = strings.ToUpper(long(128)) },
		"header name":  func(r *http.Request) { r.Header[long(1001)] = []string{"v"} },
		"header line":  func(r *http.Request) { r.Header.Set("X-Long", long(8192)) },
		"header count": func(r *http.Request) {
			for n := range 1001 {
				r.Header.Add("X-Many", fmt.Sprint(n))
			}
		},
	} {
		r := f.request(t, http.MethodGet, "/", nil)
		change(r)
		if res, _ := f.do(t, r); res.StatusCode != http.StatusBadRequest ||
			res.Header.Get("X-Renga-Error") != string(router.H26) {
			t.Errorf("%s: answer is %d %q, want 400 H26", what, res.StatusCode, res.Header.Get("X-Renga-Error"))
		}
		if rec := f.record(t); rec.Err == nil {
			t.Errorf("%s: the record does not say which limit", what)
		}
	}
	if len(reached) > 0 {
		t.Errorf("%d of the requests reached the dyno", len(reached))
	}
	r := f.request(t, http.MethodGet, "/"+long(8000), nil)
	r.Header.Set("X-Long", long(8000))
	if res, _ := f.do(t, r); res.StatusCode != http.StatusOK {
		t.Errorf("a request within the limits is answered %d", res.StatusCode)
	}
}

func TestAnswersOverALimitAreH25(t *testing.T) {
	for what, header := range map[string][2]string{
		"cookie":      {"Set-Cookie", "c=" + strings.Repeat("x", 8192)},
		"header line": {"X-Long", strings.Repeat("x", 512<<10+1)},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t, router.Options{})
			f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(header[0], header[1]) }))
			f.wantPage(t, http.StatusBadGateway, router.H25)
		})
	}
}
