package attach_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"renga"
	"renga/attach"
)

// fakeDyno is a session that prints "ready", then its input, and ends with code 5
// when its input ends, or with code 7 when it is told "die".
type fakeDyno struct {
	fails  error
	inR    *io.PipeReader
	inW    *io.PipeWriter
	outR   *io.PipeReader
	outW   *io.PipeWriter
	code   chan int
	closed chan struct{}
	why    error // it was closed
	once   sync.Once

	mu      sync.Mutex
	windows []renga.Window
	resized chan struct{}
}

func newDyno() *fakeDyno {
	d := &fakeDyno{code: make(chan int, 1), closed: make(chan struct{}), resized: make(chan struct{}, 1)}
	d.inR, d.inW = io.Pipe()
	d.outR, d.outW = io.Pipe()
	return d
}

func (d *fakeDyno) Begin(context.Context) (attach.Stream, error) {
	if d.fails != nil {
		return nil, d.fails
	}
	go func() { // ends with its input, or with Close
		fmt.Fprintln(d.outW, "ready")
		code, piece := 5, make([]byte, 64<<10)
		for {
			n, err := d.inR.Read(piece)
			if bytes.HasPrefix(piece[:n], []byte("die")) {
				code, err = 7, io.EOF
				_ = d.inR.Close()
			} else if _, writeErr := d.outW.Write(piece[:n]); writeErr != nil {
				err = writeErr
			}
			if err != nil {
				break
			}
		}
		d.code <- code
		_ = d.outW.Close()
	}()
	return d, nil
}

func (d *fakeDyno) Read(p []byte) (int, error)  { return d.outR.Read(p) }
func (d *fakeDyno) Write(p []byte) (int, error) { return d.inW.Write(p) }
func (d *fakeDyno) CloseWrite() error           { return d.inW.Close() }

func (d *fakeDyno) Resize(_ context.Context, w renga.Window) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.windows = append(d.windows, w)
	select {
	case d.resized <- struct{}{}:
	default: // nobody waits for it
	}
	return nil
}

func (d *fakeDyno) Wait(context.Context) (int, error) { return <-d.code, nil }

func (d *fakeDyno) Close(_ context.Context, why error) error {
	d.once.Do(func() {
		d.why = why
		close(d.closed)
	})
	return errors.Join(d.inW.Close(), d.inR.Close(), d.outR.Close())
}

// left fails unless the dyno is closed soon.
func (d *fakeDyno) left(t *testing.T) {
	t.Helper()
	select {
	case <-d.closed:
	case <-time.After(20 * time.Second):
		t.Fatal("the dyno is left behind")
	}
}

// fixture is a Server behind a TLS listener and an HTTP server.
type fixture struct {
	*attach.Server
	addr, web string
	tls       *tls.Config
	http      *http.Client
}

func newFixture(t *testing.T, o attach.Options) *fixture {
	t.Helper()
	d := &fixture{Server: attach.New(o)}
	web := httptest.NewTLSServer(d.Server)
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr, d.web = l.Addr().String(), web.URL
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	d.tls = &tls.Config{RootCAs: roots, ServerName: "example.com"}
	d.http = web.Client()
	secure := tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := secure.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				d.Rendezvous(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = secure.Close()
		all.Wait()
	})
	return d
}

// call opens a rendezvous: it returns once the greeting has come.
func (d *fixture) call(t *testing.T, secret string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", d.addr, d.tls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, secret+"\r\n"); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 100)
	n, err := conn.Read(first)
	if err != nil || string(first[:n]) != "rendezvous\r\n" {
		t.Fatalf("greeted with %q, %v", first[:n], err)
	}
	return conn
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestARendezvousCarriesBothWaysAndTheExitCode(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d, Marked: true}))
	say(t, conn, "hello\n")
	out := bufio.NewReader(conn)
	for _, want := range []string{"ready\n", "hello\n"} {
		if line, err := out.ReadString('\n'); line != want || err != nil {
			t.Fatalf("read %q, %v; want %q", line, err, want)
		}
	}
	say(t, conn, "bye\n\x04")
	if got := all(t, out); got != "bye\n\uFFFF heroku-command-exit-status: 5\r\n" {
		t.Errorf("the end is %q", got)
	}
	d.left(t)
}

func TestTheExitCodeIsAPieceOfItsOwn(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d, Marked: true}))
	say(t, conn, "die")
	piece := make([]byte, 1000)
	last := ""
	for {
		n, err := conn.Read(piece)
		if err != nil {
			break
		}
		last = string(piece[:n])
	}
	if last != "\uFFFF heroku-command-exit-status: 7\r\n" {
		t.Errorf("the last piece is %q", last)
	}
}

// TestMegabytesWithEveryByte: a byte 0x04 within the input is input, and the one
// at its end is not.
func TestMegabytesWithEveryByte(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d}))
	every := make([]byte, 256)
	for n := range every {
		every[n] = byte(n)
	}
	much := append(bytes.Repeat(every, 16<<10), bytes.Repeat([]byte{4}, 1000)...)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(append(bytes.Clone(much), 4))
		sent <- err
	}()
	if got := all(t, conn); got != "ready\n"+string(much) {
		t.Errorf("of %d bytes %d came back", len(much), len(got)-6)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestATerminalGetsEveryByte(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d, Terminal: true}))
	say(t, conn, "\x03\x04")
	out := bufio.NewReader(conn)
	got := make([]byte, len("ready\n")+2)
	if _, err := io.ReadFull(out, got); err != nil || string(got) != "ready\n\x03\x04" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestAClientThatGoesEndsItsDyno(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d}))
	if err := conn.NetConn().Close(); err != nil { // as one that was killed
		t.Fatal(err)
	}
	d.left(t)
	d = newDyno()
	conn = server.call(t, server.Offer(attach.AttachedDyno{Session: d}))
	say(t, conn, "\x04")
	_ = conn.Close()
	d.left(t)
}

func TestASecretIsGoodForOneClient(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	secret := server.Offer(attach.AttachedDyno{Session: d})
	server.call(t, secret)
	for _, other := range []string{secret, "", "guess", strings.Repeat("x", 100_000)} {
		conn, err := tls.Dial("tcp", server.addr, server.tls)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, other+"\r\n") // it may be refused on the way
		if got, _ := io.ReadAll(conn); len(got) != 0 {
			t.Errorf("%.10q is answered with %q", other, got)
		}
		_ = conn.Close()
	}
}

func TestADynoWaitsForAWhile(t *testing.T) {
	server, d := newFixture(t, attach.Options{WaitTimeout: 50 * time.Millisecond}), newDyno()
	server.Offer(attach.AttachedDyno{Session: d})
	d.left(t)
	if !errors.Is(d.why, attach.ErrAbsent) {
		t.Errorf("it was closed because %v", d.why)
	}
}

func TestSilenceEndsARelay(t *testing.T) {
	server, d := newFixture(t, attach.Options{Idle: 300 * time.Millisecond}), newDyno()
	begin := time.Now()
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d}))
	for range 4 {
		time.Sleep(100 * time.Millisecond) // the time is the test
		say(t, conn, "x")
	}
	all(t, conn)
	if took := time.Since(begin); took < 700*time.Millisecond {
		t.Errorf("it ended after %v, though something was said", took)
	}
	d.left(t)
	if !errors.Is(d.why, attach.ErrIdle) {
		t.Errorf("it was closed because %v", d.why)
	}
}

func TestADynoThatDoesNotStartSaysWhy(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	d.fails = renga.Errorf(renga.Unavailable, "The engine is away.")
	conn := server.call(t, server.Offer(attach.AttachedDyno{Session: d, Marked: true}))
	if got := all(t, conn); got != "The engine is away.\r\n\uFFFF heroku-command-exit-status: 126\r\n" {
		t.Errorf("it says %q", got)
	}
	d.left(t)
}

func TestTheEndOfThePlatformEndsAll(t *testing.T) {
	server, connected, waits := newFixture(t, attach.Options{}), newDyno(), newDyno()
	server.call(t, server.Offer(attach.AttachedDyno{Session: connected}))
	server.Offer(attach.AttachedDyno{Session: waits})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	connected.left(t)
	waits.left(t)
}

func TestAWebSocketCarriesBothWaysAndTheExitCode(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	secret := server.Offer(attach.AttachedDyno{Session: d, Terminal: true})
	ctx := t.Context()
	conn, _, err := websocket.Dial(ctx, server.web+"/attach/"+secret, &websocket.DialOptions{HTTPClient: server.http})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }() // the test is over
	for _, m := range []struct {
		kind websocket.MessageType
		text string
	}{
		{websocket.MessageText, `{"resize":{"columns":132,"rows":43}}`}, {websocket.MessageBinary, "hello\n"},
		{websocket.MessageText, `{"eof":true}`},
	} {
		if err := conn.Write(ctx, m.kind, []byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	var out, said strings.Builder
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("it ended with %v", err)
			}
			break
		}
		if kind == websocket.MessageBinary {
			out.Write(message)
		} else {
			said.Write(message)
		}
	}
	if out.String() != "ready\nhello\n" || said.String() != `{"exit":5}` {
		t.Errorf("output %q, then %q", &out, &said)
	}
	if len(d.windows) != 1 || d.windows[0] != (renga.Window{Columns: 132, Rows: 43}) {
		t.Errorf("windows %v", d.windows)
	}
	d.left(t)
	if _, res, err := websocket.Dial(ctx, server.web+"/attach/"+secret,
		&websocket.DialOptions{HTTPClient: server.http}); err == nil || res.StatusCode != 404 {
		t.Errorf("the second client: %v, %v", res, err)
	}
}

func TestAWebSocketThatGoesEndsItsDyno(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	conn, _, err := websocket.Dial(t.Context(), server.web+"/attach/"+server.Offer(attach.AttachedDyno{Session: d}),
		&websocket.DialOptions{HTTPClient: server.http})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.CloseNow()
	d.left(t)
}

// TestMegabytesOverWebSocket sends while it reads, as it must: the dyno stops to
// read when nobody takes what it prints.
func TestMegabytesOverWebSocket(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	ctx := t.Context()
	conn, _, err := websocket.Dial(ctx, server.web+"/attach/"+server.Offer(attach.AttachedDyno{Session: d}),
		&websocket.DialOptions{HTTPClient: server.http})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }() // the test is over
	much := noise(4 << 20)
	sent := make(chan error, 1)
	go func() {
		for piece := range slices.Chunk(much, 100_000) {
			if err := conn.Write(ctx, websocket.MessageBinary, piece); err != nil {
				sent <- err
				return
			}
		}
		sent <- conn.Write(ctx, websocket.MessageText, []byte(`{"eof":true}`))
	}()
	var out bytes.Buffer
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			break
		}
		if kind == websocket.MessageBinary {
			out.Write(message)
		}
	}
	if got, ok := bytes.CutPrefix(out.Bytes(), []byte("ready\n")); !ok || !bytes.Equal(got, much) {
		t.Errorf("of %d bytes %d came back", len(much), out.Len())
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	d.left(t)
}

func TestAWebSocketTellsWhyADynoDoesNotStart(t *testing.T) {
	server, d := newFixture(t, attach.Options{}), newDyno()
	d.fails = renga.Errorf(renga.Invalid, "There is no shell.")
	ctx := t.Context()
	conn, _, err := websocket.Dial(ctx, server.web+"/attach/"+server.Offer(attach.AttachedDyno{Session: d}),
		&websocket.DialOptions{HTTPClient: server.http})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }() // the test is over
	for _, want := range []string{"There is no shell.\r\n", `{"exit":126}`} {
		if _, message, err := conn.Read(ctx); err != nil || string(message) != want {
			t.Errorf("it says %q, %v, want %q", message, err, want)
		}
	}
}
