package front_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"renga"
	"renga/front"
)

// limiter is a ConnLimiter that logs nothing.
func limiter(b front.ConnLimits) *front.ConnLimiter {
	return front.NewConnLimiter(b, slog.New(slog.DiscardHandler))
}

// from connects to a door from a loopback address.
func from(t *testing.T, o *door, ip string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c, err := d.DialContext(t.Context(), "tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the peer may have closed it
	return c
}

const plainRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// wantCut waits until the peer has closed the connection, without an answer.
func wantCut(t *testing.T, c net.Conn, who string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	var late net.Error
	if len(b) > 0 || errors.As(err, &late) && late.Timeout() {
		t.Fatalf("%s: read %q, %v, want the end", who, b, err)
	}
}

func TestAnAddressWithManyConnectionsLosesItsOldestAndNobodyElses(t *testing.T) {
	o := open(t, front.Door{Limiter: limiter(front.ConnLimits{PerAddress: 3})})
	other := from(t, o, "127.0.0.2")
	if got := say(t, other, false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Fatalf("got %q", got)
	}
	var held []net.Conn
	for range 5 {
		held = append(held, from(t, o, "127.0.0.1"))
	}
	wantCut(t, held[0], "the first")
	wantCut(t, held[1], "the second")
	for range 5 { // requests whose bodies do not come
		if _, err := io.WriteString(from(t, o, "127.0.0.1"),
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	wantCut(t, held[4], "the last that asked nothing")
	if got := say(t, from(t, o, "127.0.0.1"), false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Errorf("a neighbour got %q", got)
	}
	if got := say(t, other, false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Errorf("somebody else got %q", got)
	}
}

func TestAllTogetherAreBoundedToo(t *testing.T) {
	o := open(t, front.Door{Limiter: limiter(front.ConnLimits{All: 3})})
	first := from(t, o, "127.0.0.1")
	for n := range 3 {
		if got := say(t, from(t, o, fmt.Sprintf("127.0.0.%d", n+2)), false, plainRequest); got != "HTTP/1.1 200 OK" {
			t.Fatalf("got %q", got)
		}
	}
	wantCut(t, first, "who waited longest")
}

// TestAConnectionThatIsBeingAnsweredStays has a door full of requests under way.
func TestAConnectionThatIsBeingAnsweredStays(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-finish
		fmt.Fprint(w, "whole")
	})}
	o := open(t, front.Door{Server: server, Other: answersLine, Limiter: limiter(front.ConnLimits{PerAddress: 2})})
	session := from(t, o, "127.0.0.1")
	if got := say(t, session, false, "SSH-2.0-x\r\n"); got != "heard SSH-2.0-x" {
		t.Fatalf("got %q", got)
	}
	asking := from(t, o, "127.0.0.1")
	if _, err := io.WriteString(asking, plainRequest); err != nil {
		t.Fatal(err)
	}
	<-begun
	wantCut(t, from(t, o, "127.0.0.1"), "one too many")
	close(finish)
	if got := say(t, asking, false, ""); got != "HTTP/1.1 200 OK" {
		t.Errorf("who was being answered got %q", got)
	}
	if got := say(t, session, false, "still\n"); got != "heard still" {
		t.Errorf("the busy client got %q", got)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	// Its place is free once the door has noticed.
	for end := time.Now().Add(30 * time.Second); ; {
		c := from(t, o, "127.0.0.1")
		_, _ = io.WriteString(c, "SSH-2.0-y\r\n")
		b := make([]byte, len("heard"))
		if _, err := io.ReadFull(c, b); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place is never free")
		}
	}
}

func TestABalancersClientsAreCountedAndNotItself(t *testing.T) {
	trusted := renga.Proxies{netip.MustParsePrefix("127.0.0.1/32")}
	o := open(t, front.Door{Trusted: trusted, Limiter: limiter(front.ConnLimits{PerAddress: 1})})
	plain := func() net.Conn {
		c := from(t, o, "127.0.0.1")
		if got := say(t, c, false, plainRequest); got != "HTTP/1.1 200 OK" {
			t.Fatalf("got %q", got)
		}
		return c
	}
	for range 3 {
		defer func(c net.Conn) {
			if got := say(t, c, false, plainRequest); got != "HTTP/1.1 200 OK" {
				t.Errorf("the balancer's own connection got %q", got)
			}
		}(plain())
	}
	speakFor := func(client string) net.Conn {
		c := from(t, o, "127.0.0.1")
		if got := say(t, c, false, "PROXY TCP6 "+client+" 2001:db8::9 1000 80\r\n"+plainRequest); got != "HTTP/1.1 200 OK" {
			t.Fatalf("got %q", got)
		}
		return c
	}
	first, other := speakFor("2001:db8:0:1::1"), speakFor("2001:db8:0:2::1")
	speakFor("2001:db8:0:1::ffff") // the same customer's
	wantCut(t, first, "the first of the client")
	if got := say(t, other, false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Errorf("the other client got %q", got)
	}
}

func TestSomeFileDescriptorsAreNobodys(t *testing.T) {
	spare, err := syscall.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Close(spare); err != nil {
		t.Fatal(err)
	}
	const few = 30
	o := open(t, front.Door{Limiter: limiter(front.ConnLimits{Files: spare + few})})
	for range few + 5 { // half of the descriptors are our own ends
		from(t, o, "127.0.0.1")
	}
	if got := say(t, from(t, o, "127.0.0.1"), false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Errorf("the last got %q", got)
	}
}

func TestABodyThatDoesNotComeIsNotWaitedForForEver(t *testing.T) {
	o := open(t, front.Door{Idle: 200 * time.Millisecond,
		Server: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/reads" {
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Error("the body came to an end")
				}
			}
			w.WriteHeader(http.StatusUnauthorized)
		})}})
	for _, path := range []string{"/reads", "/does-not"} {
		for _, framing := range []string{"Content-Length: 100", "Content-Length: 10000000", "Transfer-Encoding: chunked"} {
			c := dial(t, o)
			if got := say(t, c, false, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+framing+
				"\r\n\r\n"); got != "HTTP/1.1 401 Unauthorized" {
				t.Errorf("%s, %s: got %q", path, framing, got)
			}
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s, %s: %v", path, framing, err)
			}
		}
	}
}

// TestABodyThatComesSlowlyIsWaitedFor sends a byte now and then, for longer than
// a client may be silent; and the connection serves another request after that.
func TestABodyThatComesSlowlyIsWaitedFor(t *testing.T) {
	const idle = 300 * time.Millisecond
	o := open(t, front.Door{Idle: idle})
	c := dial(t, o)
	const bytes = 9
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bytes); err != nil {
		t.Fatal(err)
	}
	for range bytes - 1 {
		time.Sleep(idle / 4) // the slowness itself
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := say(t, c, false, "x"); got != "HTTP/1.1 200 OK" {
		t.Errorf("got %q", got)
	}
	time.Sleep(2 * idle) // a kept connection may be silent
	if got := say(t, c, false, plainRequest); got != "HTTP/1.1 200 OK" {
		t.Errorf("the next request got %q", got)
	}
}

func TestAClientThatTakesNothingIsLeft(t *testing.T) {
	ended := make(chan error, 1)
	server := func() *http.Server {
		return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			piece, err := make([]byte, 1<<20), error(nil)
			for err == nil {
				_, err = w.Write(piece)
			}
			ended <- err
		})}
	}
	config, pool := selfSigned(t)
	plain := open(t, front.Door{Idle: 200 * time.Millisecond, Server: server()})
	secure := open(t, front.Door{Idle: 200 * time.Millisecond, Server: server(), TLS: config})
	secure.pool = pool
	for name, c := range map[string]net.Conn{"plain": dial(t, plain), "TLS": dialTLS(t, secure, withoutSNI())} {
		if _, err := io.WriteString(c, plainRequest); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !strings.Contains(err.Error(), "timeout") {
				t.Errorf("%s: the answer ended with %v", name, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the answer is still being written", name)
		}
	}
}

// TestAStreamThatIsHeldIsLeft has a client of HTTP/2 read nothing of one
// answer, send nothing of one request, and be served on the same connection.
func TestAStreamThatIsHeldIsLeft(t *testing.T) {
	ended := make(chan error, 2)
	config, pool := selfSigned(t)
	o := open(t, front.Door{Idle: 200 * time.Millisecond, TLS: config,
		Server: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			piece, err := make([]byte, 1<<20), error(nil)
			switch r.URL.Path {
			case "/send":
				for err == nil {
					_, err = w.Write(piece)
				}
				ended <- err
			case "/read":
				_, err := io.ReadAll(r.Body)
				ended <- err
			case "/pause":
				_ = http.NewResponseController(w).Flush()
				time.Sleep(500 * time.Millisecond) // a tail without lines
				fmt.Fprint(w, "after it")
			}
		})}})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	silent, speak := io.Pipe()
	defer speak.Close()
	go func() {
		if r, err := client.Post("https://"+o.addr+"/read", "text/plain", silent); err == nil {
			_ = r.Body.Close()
		}
	}()
	r, err := client.Get("https://" + o.addr + "/send")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for range 2 {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("a body came to an end")
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a stream is still waited for")
		}
	}
	if got := get(t, client, "https://"+o.addr+"/pause"); got != "after it" {
		t.Errorf("a handler's pause ends in %q", got)
	}
}

func TestAFileOfManyPiecesArrivesWhole(t *testing.T) {
	file := t.TempDir() + "/file"
	size := int64(3<<20 + 5)
	writeZeros(t, file, size)
	o := open(t, front.Door{Server: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		http.ServeFile(w, r, file)
	})}})
	if got := get(t, http.DefaultClient, "http://"+o.addr+"/"); int64(len(got)) != size {
		t.Errorf("%d bytes came", len(got))
	}
	http.DefaultClient.CloseIdleConnections()
}

func writeZeros(t *testing.T, file string, size int64) {
	t.Helper()
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}
