package router_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/router"
)

// BenchmarkRouter measures whole requests over real sockets: to the dyno
// directly, through the bare standard proxy, and through the router with more
// and more apps. Client, proxy and dyno share the process, so only the
// differences say something.
func BenchmarkRouter(b *testing.B) {
	for _, size := range []int{20, 100 << 10} {
		body := strings.Repeat("x", size)
		d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header()["Content-Type"] = []string{"text/plain"}
			w.Header()["Content-Length"] = []string{fmt.Sprint(size)}
			_, _ = io.WriteString(w, body)
		}))
		b.Cleanup(d.Close)
		b.Run(fmt.Sprintf("bytes=%d/direct", size), func(b *testing.B) { load(b, d.URL, http.MethodGet) })
		b.Run(fmt.Sprintf("bytes=%d/proxy", size), func(b *testing.B) {
			load(b, serveBench(b, bareProxy(b, d.URL)),
				http.MethodGet)
		})
		for _, apps := range []int{1, 10, 1000} {
			b.Run(fmt.Sprintf("bytes=%d/apps=%d", size, apps), func(b *testing.B) {
				load(b, serveBench(b, manyApps(apps, target(d))), http.MethodGet)
			})
		}
		if size < 100 {
			b.Run("post/proxy", func(b *testing.B) { load(b, serveBench(b, bareProxy(b, d.URL)), http.MethodPost) })
			b.Run("post/apps=1", func(b *testing.B) { load(b, serveBench(b, manyApps(1, target(d))), http.MethodPost) })
		}
	}
}

func bareProxy(b *testing.B, dyno string) http.Handler {
	u, err := url.Parse(dyno)
	if err != nil {
		b.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
}

// manyApps is a router with n apps; the test's own is the last.
func manyApps(n int, t renga.Target) *router.Router {
	rt := router.New(router.Options{})
	for i := range n - 1 {
		rt.Route(renga.Route{
			App: renga.AppID(fmt.Sprint(i)), Hosts: []string{fmt.Sprintf("app-%d.renga.localhost", i)},
			Targets: []renga.Target{{ID: fmt.Sprint(i), Dyno: "web.1", Addr: "127.0.0.1:1"}},
		})
	}
	rt.Route(route(t))
	return rt
}

func serveBench(b *testing.B, h http.Handler) string {
	b.Helper()
	s := httptest.NewUnstartedServer(h)
	router.Limits(s.Config)
	s.Start()
	b.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func load(b *testing.B, at, method string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var body io.Reader
			if method == http.MethodPost {
				body = strings.NewReader("name=value")
			}
			r, err := http.NewRequest(method, at+"/path?query=1", body)
			if err != nil {
				b.Error(err)
				return
			}
			r.Host = host
			res, err := transport.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("status %d, %v", res.StatusCode, err)
				return
			}
		}
	})
}

// BenchmarkLookup measures what only the number of apps could slow down.
func BenchmarkLookup(b *testing.B) {
	for _, apps := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			rt := manyApps(apps, renga.Target{ID: "x", Addr: "127.0.0.1:1"})
			b.ReportAllocs()
			for b.Loop() {
				if !rt.Serves(host) {
					b.Fatal("not served")
				}
			}
		})
	}
}

// BenchmarkRoute1000 is how long a start with 1,000 apps takes.
func BenchmarkRoute1000(b *testing.B) {
	for b.Loop() {
		manyApps(1000, renga.Target{ID: "x", Addr: "127.0.0.1:1"})
	}
}

// TestAThousandRoutesAreAddedSoon bounds what takes about a tenth of a second by
// a hundred times that: it fails when adding is cubic, not when a machine is busy.
func TestAThousandRoutesAreAddedSoon(t *testing.T) {
	began := time.Now()
	rt := manyApps(1000, renga.Target{ID: "x", Addr: "127.0.0.1:1"})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if n := rt.Stats().Apps; n != 1000 {
		t.Errorf("%d apps are routed", n)
	}
}
