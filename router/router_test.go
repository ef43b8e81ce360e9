package router_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/router"
)

func TestUnknownHostHasNoSuchApp(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.wantPage(t, http.StatusNotFound, router.NoSuchApp)
}

func TestUnknownHostWaitsUntilTheTableIsComplete(t *testing.T) {
	settle := make(chan struct{})
	asked := make(chan struct{}, 1)
	f := newFixture(t, router.Options{TableComplete: func(ctx context.Context) error {
		asked <- struct{}{}
		select {
		case <-settle:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	go func() { // the app's route comes while its first request waits
		<-asked
		f.Route(idle(renga.IdleBlank))
		close(settle)
	}()
	f.wantPage(t, http.StatusServiceUnavailable, router.H81)
}

func TestUnknownHostIsThePlatformsFaultWhileItsTableIsNotComplete(t *testing.T) {
	f := newFixture(t, router.Options{TableComplete: func(context.Context) error { return errors.New("never") }})
	f.wantPage(t, http.StatusServiceUnavailable, router.H99)
}

func TestAppsWithoutTargetsAnswerWithTheirCode(t *testing.T) {
	f := newFixture(t, router.Options{})
	for why, code := range map[renga.Idle]router.Code{
		renga.IdleBlank: router.H81, renga.IdleScaled: router.H14, renga.IdleCrashed: router.H10, renga.IdleNone: router.H99,
	} {
		f.Route(idle(why))
		r := f.wantPage(t, http.StatusServiceUnavailable, code)
		if r.App != appID || r.AppName != "shop" {
			t.Errorf("record is of app %q %q", r.App, r.AppName)
		}
	}
}

func TestMaintenanceHidesTheDynos(t *testing.T) {
	f := newFixture(t, router.Options{})
	r := route(backend(t, says("hello")))
	r.Maintenance = true
	f.Route(r)
	f.wantPage(t, http.StatusServiceUnavailable, router.H80)
	r.Maintenance = false
	f.Route(r)
	if _, body := f.get(t, "/"); body != "hello" {
		t.Errorf("after maintenance: %q", body)
	}
}

func TestRequestWaitsForAnAppThatStarts(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.Route(idle(renga.IdleStarting))
	got := make(chan string, 1)
	go func() {
		_, body := f.get(t, "/")
		got <- body
	}()
	eventually(t, "the request's arrival", func() bool { return f.Stats().InFlight == 1 })
	f.Route(idle(renga.IdleStarting)) // a change that is not the one it waits for
	f.serve(backend(t, says("up")))
	if body := receive(t, got, "the answer"); body != "up" {
		t.Errorf("got %q", body)
	}
}

func TestRequestWaitingForAStartIsToldOfTheCrash(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.Route(idle(renga.IdleStarting))
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, _ := f.get(t, "/")
		if code := res.Header.Get("X-Renga-Error"); code != string(router.H10) {
			t.Errorf("code is %q, want H10", code)
		}
	}()
	eventually(t, "the request's arrival", func() bool { return f.Stats().InFlight == 1 })
	f.Route(idle(renga.IdleCrashed))
	receive(t, done, "the answer")
}

func TestStartTimeoutIs75Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := router.New(router.Options{})
		rt.Route(idle(renga.IdleStarting))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
		w := httptest.NewRecorder()
		began := time.Now()
		rt.ServeHTTP(w, r)
		if took := time.Since(began); took != 75*time.Second {
			t.Errorf("waited %v, want 75s", took)
		}
		if code := w.Header().Get("X-Renga-Error"); code != string(router.H20) {
			t.Errorf("code is %q, want H20", code)
		}
	})
}

func TestOnlySoManyRequestsWaitForAStart(t *testing.T) {
	f := newFixture(t, router.Options{MaxInFlightPerDyno: 1})
	f.Route(idle(renga.IdleStarting))
	go func() {
		r := f.request(t, http.MethodGet, "/", nil)
		if res, err := f.client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, "the request's arrival", func() bool { return f.Stats().InFlight == 1 })
	f.wantPage(t, http.StatusServiceUnavailable, router.H11)
	f.Route(idle(renga.IdleCrashed))
}

func TestClientThatLeavesEndsTheWait(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.Route(idle(renga.IdleStarting))
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		r := f.request(t, http.MethodGet, "/", nil).WithContext(ctx)
		if res, err := f.client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, "the request's arrival", func() bool { return f.Stats().InFlight == 1 })
	leave()
	if r := f.record(t); r.Code != router.H27 || r.Status != 499 {
		t.Errorf("record says %d %s, want 499 H27", r.Status, r.Code)
	}
}

func TestFullDynosAnswerH11(t *testing.T) {
	f := newFixture(t, router.Options{MaxInFlightPerDyno: 2})
	h, arrived, unblock := blocks(t)
	f.serve(backend(t, h), backend(t, h))
	answers := make(chan string, 4)
	for range 4 { // chance must not put three on one dyno
		go func() {
			_, body := f.get(t, "/")
			answers <- body
		}()
	}
	for range 4 {
		receive(t, arrived, "a request")
	}
	f.wantPage(t, http.StatusServiceUnavailable, router.H11)
	unblock()
	for range 4 {
		if body := receive(t, answers, "an answer"); body != "late" {
			t.Errorf("got %q", body)
		}
	}
}

func TestSlowFirstByteIsH12(t *testing.T) {
	f := newFixture(t, router.Options{FirstByteTimeout: 50 * time.Millisecond})
	h, _, _ := blocks(t)
	f.serve(backend(t, h))
	f.wantPage(t, http.StatusServiceUnavailable, router.H12)
}

func TestFirstByteTimeStartsAfterTheWholeRequest(t *testing.T) {
	f := newFixture(t, router.Options{FirstByteTimeout: 300 * time.Millisecond})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	body, feed := io.Pipe()
	go func() {
		for range 10 {
			_, _ = io.WriteString(feed, "x")
			time.Sleep(50 * time.Millisecond) // the slowness of the client is what is tested
		}
		_ = feed.Close()
	}()
	if res, got := f.do(t, f.request(t, http.MethodPost, "/", body)); got != "10" {
		t.Errorf("got %d %q", res.StatusCode, got)
	}
}

func TestConnectionClosedWithoutAnswerIsH13(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, hangsUp(t, func(net.Conn) {})))
	f.wantPage(t, http.StatusServiceUnavailable, router.H13)
	r := f.request(t, http.MethodPost, "/", strings.NewReader("body"))
	if res, _ := f.do(t, r); res.Header.Get("X-Renga-Error") != string(router.H13) {
		t.Errorf("POST: code is %q, want H13", res.Header.Get("X-Renga-Error"))
	}
}

func TestAnswerThatIsNoHTTPIsH17(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, hangsUp(t, func(c net.Conn) { _, _ = io.WriteString(c, "EHLO there\r\n\r\n") })))
	f.wantPage(t, http.StatusServiceUnavailable, router.H17)
}

func TestAnswerBrokenOffIsH18AndTheClientNotices(t *testing.T) {
	for name, head := range map[string]string{
		"with a length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, router.Options{})
			f.serve(backend(t, hangsUp(t, func(c net.Conn) { _, _ = io.WriteString(c, head) })))
			res, err := f.client.Do(f.request(t, http.MethodGet, "/", nil))
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if err == nil {
				t.Error("the client read a whole answer")
			}
			if r := f.record(t); r.Code != router.H18 || r.Status != 503 {
				t.Errorf("record says %d %s, want 503 H18", r.Status, r.Code)
			}
		})
	}
}

func TestDynoFallingSilentIsH15(t *testing.T) {
	f := newFixture(t, router.Options{IdleTimeout: 100 * time.Millisecond})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "something")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	res, err := f.client.Do(f.request(t, http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err == nil || string(b) != "something" {
		t.Errorf("read %q, %v", b, err)
	}
	_ = res.Body.Close()
	if r := f.record(t); r.Code != router.H15 {
		t.Errorf("code is %q, want H15", r.Code)
	}
}

func TestMovingAnswerOutlivesTheIdleTime(t *testing.T) {
	f := newFixture(t, router.Options{IdleTimeout: time.Second})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			_, _ = io.WriteString(w, ".")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(150 * time.Millisecond) // the slowness is what is tested
		}
	}))
	if _, body := f.get(t, "/"); len(body) != 10 {
		t.Errorf("got %q", body)
	}
}

func TestClientFallingSilentIsH28(t *testing.T) {
	f := newFixture(t, router.Options{IdleTimeout: 100 * time.Millisecond})
	f.serve(backend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	c := f.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 10\r\n\r\nhalf")
	if r := f.record(t); r.Code != router.H28 || r.Status != 499 {
		t.Errorf("record says %d %s, want 499 H28", r.Status, r.Code)
	}
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		t.Errorf("the client got %q, %v", rest, err)
	}
}

func TestClientNotReadingIsH28(t *testing.T) {
	f := newFixture(t, router.Options{IdleTimeout: 200 * time.Millisecond})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, 64<<20)
	}))
	c := f.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	if r := f.record(t); r.Code != router.H28 {
		t.Errorf("code is %q, want H28", r.Code)
	}
}

func TestClientLeavingMidAnswerIsH27(t *testing.T) {
	f := newFixture(t, router.Options{})
	left := make(chan struct{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	}))
	ctx, leave := context.WithCancel(t.Context())
	res, err := f.client.Do(f.request(t, http.MethodGet, "/", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	_ = res.Body.Close()
	receive(t, left, "the dyno's notice")
	if r := f.record(t); r.Code != router.H27 || r.Status != 499 {
		t.Errorf("record says %d %s, want 499 H27", r.Status, r.Code)
	}
}

func TestClientLeavingMidUploadIsH27(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	c := f.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 10\r\n\r\nhalf")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if r := f.record(t); r.Code != router.H27 || r.Status != 499 {
		t.Errorf("record says %d %s, want 499 H27", r.Status, r.Code)
	}
}

func TestMalformedBodyIsH26(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	c := f.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Renga-Error") != string(router.H26) {
		t.Errorf("answer is %d %q, want 400 H26", res.StatusCode, res.Header.Get("X-Renga-Error"))
	}
}

func TestRefusedConnectionsAreH21(t *testing.T) {
	f := newFixture(t, router.Options{})
	dead := refusing(t)
	f.serve(dead, refusing(t))
	if r := f.wantPage(t, http.StatusServiceUnavailable, router.H21); r.Dyno == "" || r.Err == nil {
		t.Errorf("record does not say which dyno and why: %+v", r)
	}
}

func TestConnectTimeoutIsH19(t *testing.T) {
	f := newFixture(t, router.Options{ConnectTimeout: 20 * time.Millisecond})
	f.serve(deaf(t))
	f.wantPage(t, http.StatusServiceUnavailable, router.H19)
}

func TestDynoThatRefusesIsPassedOverAndAvoided(t *testing.T) {
	now := time.Now()
	clock := make(chan time.Time, 1)
	clock <- now
	f := newFixture(t, router.Options{Now: func() time.Time { at := <-clock; clock <- at; return at }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sick := targetAt(l.Addr().String())
	_ = l.Close()
	f.serve(sick, backend(t, says("well")), backend(t, says("well")))
	for range 50 {
		r := f.request(t, http.MethodPost, "/", strings.NewReader("body"))
		if res, body := f.do(t, r); body != "well" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	// It is back, but stays in quarantine for 5 s.
	l, err = net.Listen("tcp", sick.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: says("cured")}}
	s.Start()
	t.Cleanup(s.Close)
	ask := func() (cured bool) {
		for range 50 {
			_, body := f.get(t, "/")
			cured = cured || body == "cured"
		}
		return cured
	}
	if ask() {
		t.Error("a dyno in quarantine was asked")
	}
	<-clock
	clock <- now.Add(5 * time.Second)
	if !ask() {
		t.Error("the dyno was not asked after its quarantine")
	}
}

func TestRefusedRequestFollowsAChangedRoute(t *testing.T) {
	f := newFixture(t, router.Options{})
	next := backend(t, says("next"))
	f.serve(refusing(t))
	got := make(chan string, 1)
	go func() {
		r := f.request(t, http.MethodPost, "/", strings.NewReader("kept"))
		_, body := f.do(t, r)
		got <- body
	}()
	eventually(t, "the request's arrival", func() bool { return f.Stats().InFlight == 1 })
	f.serve(next)
	if body := receive(t, got, "the answer"); body != "next" {
		t.Errorf("got %q", body)
	}
}

func TestChoiceIsEven(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("a")), backend(t, says("b")), backend(t, says("c")))
	count := map[string]int{}
	for range 900 {
		_, body := f.get(t, "/")
		count[body]++
	}
	for name, n := range count {
		if n < 200 || n > 400 {
			t.Errorf("%s was asked %d times of 900", name, n)
		}
	}
}

func TestStatsCountRequestsByClassAndCode(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("ok")))
	f.get(t, "/")
	f.get(t, "/")
	f.Route(idle(renga.IdleCrashed))
	f.get(t, "/")
	eventually(t, "the end of all requests", func() bool { return f.Stats().InFlight == 0 })
	s := f.Stats()
	if s.Requests != 3 || s.ByClass[2] != 2 || s.ByClass[5] != 1 || s.ByFailure[router.H10] != 1 || s.Apps != 1 ||
		s.Hosts != 1 {
		t.Errorf("stats are %+v", s)
	}
}

// rawConn is a client that speaks for itself.
type rawConn struct {
	net.Conn
	tb testing.TB
	r  *bufio.Reader
}

func (f *fixture) dial(tb testing.TB) *rawConn {
	tb.Helper()
	c, err := net.Dial("tcp", f.server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Error(err)
		}
	})
	if err := c.SetReadDeadline(time.Now().Add(answer)); err != nil {
		tb.Fatal(err)
	}
	return &rawConn{c, tb, bufio.NewReader(c)}
}

func (c *rawConn) send(s string) {
	c.tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.tb.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
