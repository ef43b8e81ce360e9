package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renga/children"
)

// clientAddr is where the requests of these tests come from. All of 127.0.0.0/8 is
// this machine.
const clientAddr = "127.0.0.77"

// balancer is a real HAProxy in front of the platform, with a port for each way
// to say who the client is.
type balancer struct {
	headers string // X-Forwarded-For and -Proto
	v1, v2  string // the PROXY protocol, versions 1 and 2
}

// haproxy runs one until the test ends.
func (s *story) haproxy() balancer {
	s.Helper()
	dir := s.TempDir()
	config, sockets := filepath.Join(dir, "haproxy.cfg"), filepath.Join(dir, "front-")
	b := balancer{headers: s.freePort(), v1: s.freePort(), v2: s.freePort()}
	text := fmt.Sprintf(`global
  stats socket %[1]sstats
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen headers
  mode http
  bind %[2]s
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  server renga %[5]s
listen v1
  mode tcp
  bind %[3]s
  server renga %[5]s send-proxy
listen v2
  mode tcp
  bind %[4]s
  server renga %[5]s send-proxy-v2
`, sockets, b.headers, b.v1, b.v2, s.w.Addr)
	s.must(os.WriteFile(config, []byte(text), 0o600))
	cmd := exec.Command("haproxy", "-db", "-f", config)
	cmd.Stderr = os.Stderr
	if err := children.Start(cmd, syscall.SIGKILL); err != nil {
		s.Fatalf("start haproxy (script/setup.sh --test installs it): %v", err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Kill() // it keeps nothing
		_ = cmd.Wait()         // killed
	})
	s.poll(func() error { // that a port takes connections does not say whose it is, nor what is behind
		answer, err := http.Get("http://" + b.headers + "/healthz")
		if err != nil {
			return err
		}
		_ = answer.Body.Close() // only the status counts
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the platform behind the balancer: %s", answer.Status)
		}
		return nil
	})
	return b
}

func (s *story) freePort() string {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer func() { _ = l.Close() }() // it was only asked for its port
	return l.Addr().String()
}

// headersBy asks hello for the headers that it gets, by way of a balancer's port and
// with a claim of the client's own about who they are.
func (s *story) headersBy(by string) (status int, headers http.Header) {
	s.Helper()
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddr)}}
	conn, err := from.DialContext(s.Context(), "tcp", by)
	s.must(err)
	defer func() { _ = conn.Close() }() // the answer is read whole
	s.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+by+"/headers", nil)
	s.must(err)
	request.Host, request.Close = s.w.Host("hello"), true
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	// What the balancer says of the client may be refused before the client has
	// said anything, which net/http's client takes for a fault.
	_ = request.Write(conn)
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	s.must(err)
	defer func() { _ = response.Body.Close() }() // read to its end
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, nil
	}
	said, err := textproto.NewReader(bufio.NewReader(response.Body)).ReadMIMEHeader()
	if !errors.Is(err, io.EOF) { // no empty line ends them
		s.must(err)
	}
	return response.StatusCode, http.Header(said)
}

func TestATrustedBalancerSaysWhoTheClientIs(t *testing.T) {
	s := newStory(t)
	s.start("--trusted-proxies=127.0.0.1/32")
	s.push("hello", "one")
	s.up("hello", "one")
	b := s.haproxy()
	for by, want := range map[string]struct{ chain, proto string }{
		b.headers: {"203.0.113.9, " + clientAddr + ", 127.0.0.1", "https"},
		b.v1:      {"203.0.113.9, " + clientAddr, "http"},
		b.v2:      {"203.0.113.9, " + clientAddr, "http"},
	} {
		status, h := s.headersBy(by)
		if got := h.Get("X-Forwarded-For"); status != http.StatusOK || got != want.chain {
			t.Errorf("by %s: status %d, X-Forwarded-For %q, want %q", by, status, got, want.chain)
		}
		if got := h.Get("X-Forwarded-Proto"); got != want.proto {
			t.Errorf("by %s: X-Forwarded-Proto %q, want %q", by, got, want.proto)
		}
	}
	// A peer by itself is not trusted, whatever it says of others: the client
	// comes from an address that is not the balancer's.
	if _, h := s.headersBy(s.w.Addr); h.Get("X-Forwarded-For") != "203.0.113.9, "+clientAddr {
		t.Errorf("without a balancer: X-Forwarded-For %q", h.Get("X-Forwarded-For"))
	}
	// With the PROXY protocol the client is the peer, as without a balancer:
	// the line says what such a one claims, too.
	s.poll(s.logged(1, `fwd="`+clientAddr+`"`))
	s.poll(s.logged(3, `fwd="203.0.113.9, `+clientAddr+`"`))
}

// logged tells whether n of the router's lines for hello hold text.
func (s *story) logged(n int, text string) func() error {
	return func() error {
		if got := strings.Count(strings.Join(s.logFrom("hello", "heroku"), "\n"), text); got != n {
			return fmt.Errorf("%d lines hold %s, want %d: %q", got, text, n, s.logFrom("hello", "heroku"))
		}
		return nil
	}
}

func TestAnUntrustedBalancerIsBelievedNothing(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "one")
	s.up("hello", "one")
	b := s.haproxy()
	status, h := s.headersBy(b.headers)
	if status != http.StatusOK || h.Get("X-Forwarded-Proto") != "http" {
		t.Errorf("status %d, X-Forwarded-Proto %q", status, h.Get("X-Forwarded-Proto"))
	}
	for _, by := range []string{b.v1, b.v2} {
		if status, _ := s.headersBy(by); status != http.StatusBadRequest {
			t.Errorf("by %s: a PROXY header of nobody's was answered %d, want 400", by, status)
		}
	}
}
