package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// log is all that the app's dynos said, oldest first, without what stands before
// each line.
func (s *story) log(app string) []string { return s.logFrom(app, "app") }

// logFrom is log for another source: heroku is the platform.
func (s *story) logFrom(app, source string) []string {
	s.Helper()
	var session struct {
		URL string `json:"logplex_url"`
	}
	asked := map[string]any{"lines": 100_000, "source": source}
	s.must(json.Unmarshal(s.api(http.StatusCreated, http.MethodPost, "/apps/"+app+"/log-sessions", asked), &session))
	u, err := url.Parse(session.URL)
	s.must(err)
	stream := s.follow(u.RequestURI())
	var said []string
	for stream.Scan() {
		if _, text, found := strings.Cut(stream.Text(), "]: "); found {
			said = append(said, text)
		}
	}
	s.must(stream.Err())
	return said
}

// TestNoLineIsLostOrToldTwiceThoughRengaIsKilled kills the platform twice while
// a dyno prints: every line is in the log once, and in its place.
func TestNoLineIsLostOrToldTwiceThoughRengaIsKilled(t *testing.T) {
	const lines = 4000
	s := newStory(t)
	s.start()
	s.push("hello/worker", "one", "count", fmt.Sprint(lines))
	s.scale("hello", "worker", 1, "")
	reaches := func(n int) {
		s.Helper()
		s.poll(func() error {
			if said := s.log("hello"); !slices.Contains(said, fmt.Sprint("line ", n)) {
				return fmt.Errorf("line %d is not in the log, which has %d", n, len(said))
			}
			return nil
		})
	}
	for round := range 2 {
		reaches(1 + 500*round)
		s.must(s.w.Kill())
		s.must(s.w.Start(t.Context(), quickly()...))
	}
	reaches(lines)
	said := slices.DeleteFunc(s.log("hello"), func(line string) bool { return !strings.HasPrefix(line, "line ") })
	for i := range max(len(said), lines) {
		want := fmt.Sprint("line ", i+1)
		if i >= len(said) || i >= lines || said[i] != want {
			t.Fatalf("%d lines; number %d is %q, want %q", len(said), i+1, said[min(i, len(said)-1)], want)
		}
	}
}
