package router_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"renga"
	"renga/router"
)

const (
	appID  = renga.AppID("11111111-1111-1111-1111-111111111111")
	host   = "shop.renga.localhost"
	answer = 30 * time.Second // how long a test waits for what must come
)

// records is a Lines that hands every record on.
type records chan router.Record

func (r records) Request(record router.Record) { r <- record }

// fixture is a router behind a real server.
type fixture struct {
	*router.Router
	server  *httptest.Server
	records records
	client  *http.Client
}

func newFixture(tb testing.TB, o router.Options) *fixture {
	tb.Helper()
	f := &fixture{records: make(records, 100_000)}
	if o.RequestLog == nil {
		o.RequestLog = f.records
	}
	f.Router = router.New(o)
	f.server = httptest.NewUnstartedServer(f.Router)
	router.Limits(f.server.Config)
	f.server.Start()
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	f.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

// serve routes the test's host to the targets.
func (f *fixture) serve(targets ...renga.Target) {
	f.Route(route(targets...))
}

func route(targets ...renga.Target) renga.Route {
	return renga.Route{App: appID, Name: "shop", Hosts: []string{host}, Targets: targets}
}

func idle(why renga.Idle) renga.Route {
	r := route()
	r.Idle = why
	return r
}

func (f *fixture) request(tb testing.TB, method, path string, body io.Reader) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, f.server.URL+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Host = host
	return r
}

// do sends a request and reads the answer.
func (f *fixture) do(tb testing.TB, r *http.Request) (*http.Response, string) {
	tb.Helper()
	res, err := f.client.Do(r)
	if err != nil {
		tb.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("%s %s: read answer: %v", r.Method, r.URL.Path, err)
	}
	return res, string(b)
}

func (f *fixture) get(tb testing.TB, path string) (*http.Response, string) {
	tb.Helper()
	return f.do(tb, f.request(tb, http.MethodGet, path, nil))
}

// record waits for the record of the request that ended last.
func (f *fixture) record(tb testing.TB) router.Record {
	tb.Helper()
	select {
	case r := <-f.records:
		return r
	case <-time.After(answer):
		tb.Fatal("no record of the request came")
		return router.Record{}
	}
}

// wantPage asks and expects the error page of code.
func (f *fixture) wantPage(tb testing.TB, status int, code router.Code) router.Record {
	tb.Helper()
	res, body := f.get(tb, "/")
	if res.StatusCode != status || res.Header.Get("X-Renga-Error") != string(code) {
		tb.Fatalf("answer is %d %q, want %d %s", res.StatusCode, res.Header.Get("X-Renga-Error"), status, code)
	}
	if !strings.Contains(body, string(code)) || !strings.Contains(body, "</html>") || strings.Contains(body, "{{") {
		tb.Errorf("page does not say %s:\n%s", code, body)
	}
	if got := res.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		tb.Errorf("page's Content-Type is %q", got)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		tb.Errorf("page's Cache-Control is %q", got)
	}
	r := f.record(tb)
	if r.Code != code || r.Status != status {
		tb.Errorf("record says %d %s, want %d %s", r.Status, r.Code, status, code)
	}
	return r
}

var ids atomic.Int64

// backend is a real dyno: an HTTP server and the target for it.
func backend(tb testing.TB, h http.HandlerFunc) renga.Target {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return targetAt(s.Listener.Addr().String())
}

func targetAt(addr string) renga.Target {
	n := ids.Add(1)
	return renga.Target{ID: fmt.Sprintf("dyno-%d", n), Dyno: fmt.Sprintf("web.%d", n), Addr: addr}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// blocks answers when the returned function is called; arrived gets a value for
// each request.
func blocks(tb testing.TB) (h http.HandlerFunc, arrived chan struct{}, unblock func()) {
	tb.Helper()
	arrived = make(chan struct{}, 1000)
	free, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	return func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-free.Done():
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "late")
	}, arrived, cancel
}

// hangsUp takes the connection over and hands it to f, then closes it.
func hangsUp(tb testing.TB, f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			tb.Errorf("hijack: %v", err)
			return
		}
		f(c)
		_ = c.Close()
	}
}

// refusing is an address where nobody listens.
func refusing(tb testing.TB) renga.Target {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return targetAt(l.Addr().String())
}

// deaf is an address whose queue of connections is full, so that the kernel
// drops every further attempt.
func deaf(tb testing.TB) renga.Target {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		tb.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		tb.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		tb.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 16 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return targetAt(addr)
		}
		tb.Cleanup(func() { _ = c.Close() })
	}
	tb.Fatal("the queue does not fill")
	return renga.Target{}
}

// receive waits for a value.
func receive[T any](tb testing.TB, from <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(answer):
		tb.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// eventually polls until ok.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(answer); time.Now().Before(end); {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	tb.Fatalf("%s did not happen", what)
}
