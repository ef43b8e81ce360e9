package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"renga/e2e"
)

const replacements = 3

// TestNoRequestIsLostWhenRengaIsReplaced sends a steady load over connections
// that are kept alive, and over new ones, while the platform is replaced again
// and again. The requests are POSTs with a body, which no client repeats by
// itself.
func TestNoRequestIsLostWhenRengaIsReplaced(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "one")
	s.up("hello", "one")
	running := s.runs("hello", "web.1 v2")
	pid := s.w.Pid()
	ctx, stop := context.WithCancel(t.Context())
	l := &posts{w: s.w}
	var clients sync.WaitGroup
	for n := range swapClients {
		clients.Go(func() { l.run(ctx, n%2 == 0) })
	}
	for range replacements {
		before := l.count()
		s.must(s.w.Replace(t.Context()))
		s.must(e2e.Poll(t.Context(), func() error { // there is load on the new one, too
			if l.count() < before+20*swapClients {
				return errors.New("too few requests yet")
			}
			return nil
		}))
	}
	stream := s.halfRead("hello")
	s.must(s.w.Replace(t.Context()))
	if rest, err := io.ReadAll(stream); err != nil || !strings.HasSuffix(string(rest), "line 10\n") {
		t.Errorf("a request that was under way ended with %q, %v", rest, err)
	}
	stop()
	clients.Wait()
	if s.w.Pid() != pid || !s.w.Running() {
		t.Errorf("the platform is process %d, and was %d", s.w.Pid(), pid)
	}
	s.untouched("hello", running)
	t.Logf("%d requests over %d replacements, %d failed", l.asked, replacements+1, len(l.wrong))
	if len(l.wrong) > 0 {
		shown, _ := json.MarshalIndent(l.wrong[:min(len(l.wrong), 10)], "", " ")
		t.Errorf("%d requests failed, such as\n%s\n%s", len(l.wrong), shown, s.w.Log())
	}
}

// halfRead begins a request whose answer has ten lines, and reads the first.
func (s *story) halfRead(app string) *bufio.Reader {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.w.URL(s.w.Host(app))+"/stream?n=10&ms=100", nil)
	s.must(err)
	response, err := s.w.Client().Do(request)
	s.must(err)
	s.Cleanup(func() { _ = response.Body.Close() }) // read to its end
	lines := bufio.NewReader(response.Body)
	first, err := lines.ReadString('\n')
	s.must(err)
	if first != "line 1\n" {
		s.Fatalf("the stream begins with %q", first)
	}
	return lines
}

// posts keeps count of requests.
type posts struct {
	w *e2e.Platform

	mu    sync.Mutex
	asked int
	wrong []string
}

func (p *posts) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *posts) client(keepAlive bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: !keepAlive,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(p.w.URL(""), "http://"))
		},
	}}
}

func (p *posts) run(ctx context.Context, keepAlive bool) {
	client := p.client(keepAlive)
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		err := p.post(client)
		p.mu.Lock()
		p.asked++
		if err != nil {
			p.wrong = append(p.wrong, fmt.Sprintf("begun at %s, kept alive %t: %v", began.UTC().Format(time.StampMilli), keepAlive, err))
		}
		p.mu.Unlock()
	}
}

func (p *posts) post(client *http.Client) error {
	response, err := client.Post(p.w.URL(p.w.Host("hello"))+"/echo", "text/plain", strings.NewReader("ping"))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "ping") {
		return fmt.Errorf("%d %s %.80s %w", response.StatusCode, response.Header.Get("X-Renga-Error"), body, err)
	}
	return nil
}
