package router_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"renga/router"
)

func TestServerSentEventsArriveAtOnce(t *testing.T) {
	f := newFixture(t, router.Options{})
	next := make(chan struct{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}))
	res, err := f.client.Do(f.request(t, http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d is %q, %v", i, line, err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{} // the dyno goes on only now
	}
}

func TestRequestAndAnswerStreamAtTheSameTime(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		ctl := http.NewResponseController(w)
		if err := ctl.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_ = ctl.Flush()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			_, _ = fmt.Fprintf(w, "heard %s\n", lines.Text())
			_ = ctl.Flush()
		}
	}))
	body, say := io.Pipe()
	res, err := f.client.Do(f.request(t, http.MethodPost, "/", body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	heard := bufio.NewReader(res.Body)
	for i := range 5 {
		if _, err := fmt.Fprintf(say, "%d\n", i); err != nil {
			t.Fatal(err)
		}
		if line, err := heard.ReadString('\n'); err != nil || line != fmt.Sprintf("heard %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	if err := say.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(heard); err != nil || len(rest) > 0 {
		t.Errorf("at the end got %q, %v", rest, err)
	}
}

const (
	mebibyte = 1 << 20
	big      = 50
)

func TestLargeUploadIsNotBuffered(t *testing.T) {
	f := newFixture(t, router.Options{})
	got := make(chan struct{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		for range big {
			if _, err := io.CopyN(io.Discard, r.Body, mebibyte); err != nil {
				t.Error(err)
			}
			got <- struct{}{}
		}
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	body, feed := io.Pipe()
	go func() {
		for range big {
			_, _ = io.CopyN(feed, zeros{}, mebibyte)
			receive(t, got, "the dyno's word that it has this part") // before the next is sent
		}
		_ = feed.Close()
	}()
	if res, rest := f.do(t, f.request(t, http.MethodPut, "/", body)); res.StatusCode != http.StatusOK || rest != "0" {
		t.Errorf("answer is %d %q", res.StatusCode, rest)
	}
}

func TestLargeDownloadIsNotBuffered(t *testing.T) {
	f := newFixture(t, router.Options{})
	next := make(chan struct{}, 1)
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(big*mebibyte))
		for range big {
			_, _ = io.CopyN(w, zeros{}, mebibyte)
			receive(t, next, "the client's word that it has this part") // before the next is sent
		}
	}))
	res, err := f.client.Do(f.request(t, http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for i := range big {
		// Not the last part: net/http keeps up to 4 KiB of it until more comes.
		if _, err := io.CopyN(io.Discard, res.Body, mebibyte-8<<10*int64(min(1, big-1-i))); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
		if i < big-1 {
			if _, err := io.CopyN(io.Discard, res.Body, 8<<10); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// closesKept is a dyno that answers one request on each connection and then
// closes it without a word, once the next request is there.
func closesKept(tb testing.TB) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				b, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
				_, _ = in.ReadByte()
			}()
		}
	}()
	return l.Addr().String()
}

func TestConnectionsClosedWhileIdleFailNoRequest(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(targetAt(closesKept(t)))
	for i := range 100 {
		method, body := http.MethodGet, ""
		if i%2 == 1 {
			method, body = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}[i/2%4], "precious"
		}
		res, got := f.do(t, f.request(t, method, "/", strings.NewReader(body)))
		if res.StatusCode != http.StatusOK || got != body {
			t.Fatalf("request %d, %s: %d %q", i, method, res.StatusCode, got)
		}
	}
}

func TestWebSocketLivesThroughARouteChangeAndEndsWithTheDrain(t *testing.T) {
	f := newFixture(t, router.Options{})
	old := backend(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, b); err != nil {
				return
			}
		}
	})
	f.serve(old)
	c, res, err := websocket.Dial(t.Context(), f.server.URL+"/socket", &websocket.DialOptions{Host: host})
	if err != nil {
		t.Fatalf("%v, %v", err, res)
	}
	defer func() { _ = c.CloseNow() }()
	echo := func(s string) {
		t.Helper()
		if err := c.Write(t.Context(), websocket.MessageText, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); err != nil || string(b) != s {
			t.Fatalf("echo is %q, %v", b, err)
		}
	}
	echo("before")
	f.serve(backend(t, says("new")))
	echo("after")

	ctx, end := contextWithEnd(t)
	drained := make(chan error, 1)
	go func() { drained <- f.Drain(ctx, appID, old.ID) }()
	echo("during")
	select {
	case err := <-drained:
		t.Fatalf("drain returned with a socket open: %v", err)
	default:
	}
	end()
	if err := receive(t, drained, "the end of the drain"); err != nil {
		t.Errorf("drain: %v", err)
	}
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the socket is open after the drain")
	}
	if r := f.record(t); r.Status != http.StatusSwitchingProtocols || r.Code != "" || r.Dyno != old.Dyno {
		t.Errorf("record is %+v", r)
	}
}
