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
	s := &story{T: t, w: kit.World(t, e2e.WithFiles(400))}
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
		from.LocalAddr = &net.TCPAddr{IP: net.ParseIP(visitor)}
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
