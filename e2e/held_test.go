package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"renga/e2e"
)

// TestHeldRequestsKeepNobodyOut has somebody without credentials hold more
// requests open than the platform may open files, by never sending their bodies.
func TestHeldRequestsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := &story{T: t, w: kit.Platform(t, e2e.WithFiles(400))}
	s.start()
	s.push("hello", "before")
	s.up("hello", "before")
	for n := range 420 {
		s.hold(n)
	}
	for n := range 20 {
		s.api(http.StatusOK, http.MethodGet, "/apps/hello", nil)
		s.api(http.StatusCreated, http.MethodPost, "/apps", map[string]any{"name": fmt.Sprintf("another-%d", n)})
		s.must(s.says("hello", "/", "hello from before"))
	}
	if answer, err := s.w.Do(t.Context(), e2e.Request{Path: "/healthz"}); err != nil || answer.Status != http.StatusOK {
		t.Errorf("/healthz: %d %s, %v", answer.Status, answer.Body, err)
	}
	s.push("hello", "after")
	s.up("hello", "after")
	if log := s.w.Log(); strings.Contains(log, "too many open files") {
		t.Errorf("no file was left for the platform's own needs:\n%s", log)
	}
	if !strings.Contains(s.w.Log(), "few files may be open") {
		t.Error("the log does not say that few files may be open")
	}
}

// hold begins a request to one of the doors; every fifth comes from this test's
// own address, where its neighbours are.
func (s *story) hold(n int) {
	s.Helper()
	heads := []string{
		"POST /apps HTTP/1.1\r\nHost: api." + s.w.Domain, "POST /v2/hello/web/blobs/uploads/ HTTP/1.1\r\nHost: registry." + s.w.Domain,
		"PATCH /v2/hello/web/blobs/uploads/none HTTP/1.1\r\nHost: localhost", "POST / HTTP/1.1\r\nHost: nobody." + s.w.Domain,
		"POST / HTTP/1.1\r\nHost: hello." + s.w.Domain, "POST /login HTTP/1.1\r\nHost: localhost", "GET / HTTP/1.1\r\nX-Endless: ",
	}
	var from net.Dialer
	if n%5 != 0 {
		from.LocalAddr = &net.TCPAddr{IP: net.ParseIP(clientAddr)}
	}
	c, err := from.DialContext(s.Context(), "tcp", s.w.Addr)
	s.must(err)
	s.Cleanup(func() { _ = c.Close() }) // the platform may have
	head := heads[n%len(heads)]
	if !strings.HasSuffix(head, " ") {
		head += "\r\nContent-Length: 100\r\n\r\n"
	}
	_, _ = io.WriteString(c, head) // likewise
}

// TestAGuesserSlowsDownOnlyHimself has somebody try passwords, six
// a second and more, while others log in with right ones.
func TestAGuesserSlowsDownOnlyHimself(t *testing.T) {
	s := newStory(t)
	s.start()
	passwords := map[string]string{}
	for _, email := range []string{"owner@example.com", "neighbour@example.com"} {
		passwords[email] = s.account(email)
	}
	stop, guessing := make(chan struct{}), make(chan int, 1)
	go func() {
		refused := 0
		for {
			select {
			case <-stop:
				guessing <- refused
				return
			default:
				if s.login(clientAddr, "owner@example.com", "a wrong one") == http.StatusTooManyRequests {
					refused++
				}
			}
		}
	}()
	s.poll(func() error {
		if got := s.login(clientAddr, "owner@example.com", "another"); got != http.StatusTooManyRequests {
			return fmt.Errorf("the guesser is answered %d", got)
		}
		return nil
	})
	for range 10 {
		if got := s.login("127.0.0.1", "owner@example.com", passwords["owner@example.com"]); got != http.StatusCreated {
			t.Errorf("the owner is answered %d", got)
		}
		if got := s.login(clientAddr, "neighbour@example.com", passwords["neighbour@example.com"]); got != http.StatusCreated {
			t.Errorf("the guesser's neighbour is answered %d", got)
		}
	}
	close(stop)
	if refused := <-guessing; refused == 0 {
		t.Error("no guess was refused")
	}
}

// account makes an account and gives its password.
func (s *story) account(email string) string {
	s.Helper()
	stdout, stderr, err := s.w.Run(s.Context(), "account", email)
	if err != nil {
		s.Fatalf("renga account: %v %s", err, stderr)
	}
	_, password, found := strings.Cut(stdout, "password: ")
	if !found {
		s.Fatalf("renga account printed %q", stdout)
	}
	return strings.TrimSpace(strings.SplitN(password, "\n", 2)[0])
}

// login asks for a token from an address, and gives the status; 0 when the test
// is over.
func (s *story) login(from, email, password string) int {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://"+s.w.Addr+"/oauth/authorizations", strings.NewReader("{}"))
	if err != nil {
		return 0
	}
	r.SetBasicAuth(email, password)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close() // it is not read
	return answer.StatusCode
}
