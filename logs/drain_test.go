package logs_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/logs"
)

// drains are the drains of one app.
type drains struct {
	mu  sync.Mutex
	all []renga.Drain
}

func (d *drains) AppIDs(context.Context) ([]renga.AppID, error) { return []renga.AppID{app}, nil }

func (d *drains) Drains(context.Context, renga.AppID) ([]renga.Drain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]renga.Drain{}, d.all...), nil
}

func (d *drains) set(urls ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = nil
	for _, url := range urls {
		d.all = append(d.all, renga.Drain{
			ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(url)).String(), App: app, URL: url, Token: "d.token",
		})
	}
}

// drainFixture is a log with a drainer, which runs until it is stopped.
type drainFixture struct {
	*testing.T
	*logs.Logs
	drains
	roots *x509.CertPool
	stop  func()
}

func newDrainFixture(t *testing.T, urls ...string) *drainFixture {
	d := &drainFixture{T: t, Logs: open(t, t.TempDir())}
	d.set(urls...)
	d.Line(app, "app", "web.1", "of before the drain")
	return d
}

// run drains until stop is called.
func (d *drainFixture) run() {
	d.Helper()
	drainer := logs.NewDrainer(d.Logs, &d.drains, logs.DrainOptions{Dial: new(net.Dialer).DialContext, Roots: d.roots})
	ctx, cancel := context.WithCancel(d.Context())
	ended := make(chan error, 1)
	go func() { ended <- drainer.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.Error(err)
		}
	})
	d.Cleanup(d.stop)
}

// say adds lines until the first of them has arrived: a new drain begins where
// the log ends when it is started.
func (d *drainFixture) say(arrived func() bool) {
	d.Helper()
	d.until("a line arrives", func() bool {
		d.Line(app, "app", "web.1", "hello")
		return arrived()
	})
}

func (d *drainFixture) until(what string, done func() bool) {
	d.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			d.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// receiver is an HTTP drain: it notes what it gets.
type receiver struct {
	mu    sync.Mutex
	fail  bool
	texts []string
	heads []http.Header
	wrong error
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	frames, err := readFrames(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.heads = append(r.heads, req.Header.Clone())
	if n := req.Header.Get("Logplex-Msg-Count"); err == nil && n != strconv.Itoa(len(frames)) {
		err = fmt.Errorf("%d messages are counted as %s", len(frames), n)
	}
	r.wrong = errors.Join(r.wrong, err)
	r.texts = append(r.texts, frames...)
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) setFail(fail bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.texts...)
}

func (r *receiver) has(text string) bool {
	for _, got := range r.got() {
		if strings.Contains(got, text) {
			return true
		}
	}
	return false
}

// readFrames reads messages with their lengths before them.
func readFrames(from io.Reader) (frames []string, err error) {
	r := bufio.NewReader(from)
	for {
		head, err := r.ReadString(' ')
		if errors.Is(err, io.EOF) && head == "" {
			return frames, nil
		}
		n, bad := strconv.Atoi(strings.TrimSpace(head))
		if err := errors.Join(err, bad); err != nil {
			return frames, err
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(r, frame); err != nil {
			return frames, err
		}
		frames = append(frames, string(frame))
	}
}

func TestHTTPSDrainsGetWhatLogplexSends(t *testing.T) {
	to := &receiver{}
	server := httptest.NewTLSServer(to)
	defer server.Close()
	d := newDrainFixture(t, strings.Replace(server.URL, "://", "://user:secret@", 1)+"/logs?a=b")
	d.roots = x509.NewCertPool()
	d.roots.AddCert(server.Certificate())
	d.run()
	d.say(func() bool { return to.has("hello") })
	d.Line(app, "heroku", "router", "at=info ä")
	d.Line(app, "app", "api", "Release v2 created by user ada@example.com")
	d.until("all arrives", func() bool { return to.has("Release v2") })
	got := to.got()
	if got[0] != "<190>1 2026-11-22T12:00:00.820000+00:00 host app web.1 - hello\n" {
		t.Errorf("first is %q", got[0])
	}
	if want := "<158>1 2026-11-22T12:00:00.820000+00:00 host heroku router - at=info ä\n"; !to.has(want) {
		t.Errorf("%q is missing in %q", want, got)
	}
	if to.wrong != nil {
		t.Error(to.wrong)
	}
	head := to.heads[0]
	if head.Get("Content-Type") != "application/logplex-1" || head.Get("Logplex-Drain-Token") != "d.token" ||
		head.Get("Logplex-Frame-Id") == "" {
		t.Errorf("head is %v", head)
	}
	if user, password, ok := (&http.Request{Header: head}).BasicAuth(); !ok || user != "user" || password != "secret" {
		t.Errorf("authorization is %q", head.Get("Authorization"))
	}
}

func TestADrainThatFailsGetsTheRestLater(t *testing.T) {
	to := &receiver{}
	server := httptest.NewServer(to)
	defer server.Close()
	d := newDrainFixture(t, server.URL+"/?key=secret")
	d.run()
	d.say(func() bool { return to.has("hello") })
	to.setFail(true)
	const n = 3000
	for i := range n {
		d.Line(app, "app", "web.1", fmt.Sprintf("number %d.", i))
	}
	d.until("it is told", func() bool {
		return strings.Contains(strings.Join(last(t, d.Logs, 5, renga.LogFilter{Source: "heroku"}), "|"),
			"Drain d.token does not take lines: the receiver answered 503")
	})
	to.setFail(false)
	d.until("the last arrives", func() bool { return to.has(fmt.Sprintf("number %d.", n-1)) })
	arrived := 0
	for _, text := range to.got() {
		if strings.Contains(text, "number") {
			arrived++
		}
	}
	undrained := d.Stats().Undrained
	if arrived+int(undrained) < n || arrived > 1024+256 {
		t.Errorf("%d arrived, %d dropped", arrived, undrained)
	}
	if want := " heroku logplex - Error L10 (output buffer overflow) -> "; !to.has(want) {
		t.Errorf("%q did not arrive", want)
	}
	for _, text := range last(t, d.Logs, -1, renga.LogFilter{Source: "heroku"}) {
		if strings.Contains(text, "secret") {
			t.Errorf("the log tells %q", text)
		}
	}
}

func TestADrainGoesOnAfterARestart(t *testing.T) {
	to := &receiver{}
	server := httptest.NewServer(to)
	defer server.Close()
	d := newDrainFixture(t, server.URL)
	d.run()
	d.say(func() bool { return to.has("hello") })
	d.stop()
	before := len(to.got())
	for i := range 100 {
		d.Line(app, "app", "web.1", fmt.Sprintf("number %d.", i))
	}
	d.run()
	d.until("the last arrives", func() bool { return to.has("number 99.") })
	var numbers []string
	for _, text := range to.got()[before:] {
		if _, number, ok := strings.Cut(text, "number "); ok {
			numbers = append(numbers, strings.TrimSpace(number))
		}
	}
	for i := range numbers {
		if numbers[i] != fmt.Sprintf("%d.", i) {
			t.Fatalf("number %d is %s", i, numbers[i])
		}
	}
	if len(numbers) != 100 || to.has("of before") {
		t.Errorf("%d lines arrived", len(numbers))
	}
}

func TestARemovedDrainGetsNoMore(t *testing.T) {
	to := &receiver{}
	server := httptest.NewServer(to)
	defer server.Close()
	d := newDrainFixture(t, server.URL)
	drainer := logs.NewDrainer(d.Logs, &d.drains, logs.DrainOptions{Dial: new(net.Dialer).DialContext})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- drainer.Run(ctx) }()
	defer func() { cancel(); _ = <-ended }()
	d.say(func() bool { return to.has("hello") })
	d.set()
	drainer.Reconcile(app)
	other := &receiver{}
	second := httptest.NewServer(other)
	defer second.Close()
	d.set(second.URL)
	drainer.Reconcile(app)
	d.say(func() bool { return other.has("hello") })
	before := len(to.got())
	d.Line(app, "app", "web.1", "only for the second")
	d.until("it arrives", func() bool { return other.has("only for the second") })
	if to.has("only for") || len(to.got()) != before {
		t.Error("a removed drain gets lines")
	}
}

func TestTLSDrains(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	var got bytes.Buffer
	var mu sync.Mutex
	l := listenTLS(t, server, func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		got.Write(b)
	})
	d := newDrainFixture(t, "syslog+tls://"+l)
	d.roots = x509.NewCertPool()
	d.roots.AddCert(server.Certificate())
	d.run()
	d.say(func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(got.String(), "hello")
	})
	mu.Lock()
	defer mu.Unlock()
	if want := "<190>1 2026-11-22T12:00:00.820000+00:00 d.token app web.1 - - hello"; !strings.HasPrefix(got.String(),
		fmt.Sprintf("%d %s", len(want), want)) {
		t.Errorf("got %q", got.String())
	}
}
