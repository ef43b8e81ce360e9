package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// outputStream is the path of a release's output stream.
func (s *story) outputStream(app string, version int) string {
	s.Helper()
	var seen struct {
		URL string `json:"output_stream_url"`
	}
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, fmt.Sprintf("/apps/%s/releases/%d", app, version), nil), &seen))
	u, err := url.Parse(seen.URL)
	s.must(err)
	return u.RequestURI()
}

// follow opens a stream that needs no token.
func (s *story) follow(path string) *bufio.Scanner {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.w.URL("")+path, nil)
	s.must(err)
	response, err := http.DefaultClient.Do(request)
	s.must(err)
	s.Cleanup(func() { _ = response.Body.Close() }) // read to its end, or cut
	if response.StatusCode != http.StatusOK {
		s.Fatalf("%s: %d", path, response.StatusCode)
	}
	return bufio.NewScanner(response.Body)
}

// lines fails unless those come next, and the end after them.
func (s *story) lines(from *bufio.Scanner, want ...string) {
	s.Helper()
	for _, line := range want {
		if !from.Scan() || from.Text() != line {
			s.Fatalf("the stream has %q, want %q: %v", from.Text(), line, from.Err())
		}
	}
}

func (s *story) ends(from *bufio.Scanner) {
	s.Helper()
	if from.Scan() || from.Err() != nil {
		s.Fatalf("the stream goes on with %q, %v; want its end", from.Text(), from.Err())
	}
}

// TestAReleaseCommandOutlivesAKill: it runs once, before the cut-over, and its
// output comes whole to who asks while it runs, after Renga was killed, and
// after it has ended.
func TestAReleaseCommandOutlivesAKill(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "one")
	s.up("hello", "one")
	s.set("hello", map[string]any{"COLOUR": "red"})
	s.settled("hello", 3, "succeeded")
	s.push("hello/release", "migration", "await", "/go")
	running := s.runs("hello", "release.4 v4", "web.1 v3")
	s.settled("hello", 4, "pending")
	out := s.follow(s.outputStream("hello", 4))
	first := "awaiting /go as release.4 with COLOUR red"
	s.lines(out, first)

	s.must(s.w.Kill())
	s.must(s.w.Start(t.Context(), quickly()...))
	s.untouched("hello", running)
	out = s.follow(s.outputStream("hello", 4))
	s.lines(out, first)
	s.serves("hello", "one")
	_, err := s.w.Docker(t.Context(), "exec", running[0], "/app", "touch", "/go")
	s.must(err)
	s.lines(out, "found /go")
	s.ends(out)

	s.settled("hello", 4, "succeeded")
	s.runs("hello", "web.1 v4")
	again := s.follow(s.outputStream("hello", 4))
	s.lines(again, first, "found /go")
	s.ends(again)
	if n := strings.Count(s.w.Log(), `msg="release command"`); n != 2 {
		t.Errorf("%d marks of the release command, want that it began and that it passed", n)
	}
	if left := s.ownedAll("ps", "--all"); len(left) != 1 {
		t.Errorf("containers left: %q", left)
	}
}

// TestAReleaseCommandDecides: on each new release, whatever made it.
func TestAReleaseCommandDecides(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello/release", "good", "exit", "0")
	s.settled("hello", 2, "succeeded")
	s.push("hello", "one")
	s.settled("hello", 3, "succeeded")
	s.up("hello", "one")
	serving := s.runs("hello", "web.1 v3")

	s.push("hello/release", "bad", "exit", "7")
	failed := s.settled("hello", 4, "failed")
	if failed.Reason != "The release command exited with status 7" || strings.Join(failed.Log, "") != "ending with code 7" {
		t.Errorf("it failed with %q and %q", failed.Reason, failed.Log)
	}
	out := s.follow(s.outputStream("hello", 4))
	s.lines(out, "ending with code 7")
	s.ends(out)
	s.set("hello", map[string]any{"COLOUR": "blue"})
	s.settled("hello", 5, "failed")
	s.api(http.StatusCreated, http.MethodPost, "/apps/hello/releases", map[string]any{"description": "Retry of v5"})
	if again := s.settled("hello", 6, "failed"); !strings.HasPrefix(again.Description, "Retry of v5") || again.Reason != failed.Reason {
		t.Errorf("the retry is %+v", again)
	}
	s.untouched("hello", serving)
	s.serves("hello", "one")

	s.api(http.StatusCreated, http.MethodPost, "/apps/hello/releases", map[string]any{"release": "v3"})
	if back := s.settled("hello", 7, "succeeded"); back.Description != "Rollback to v3" || !back.Current {
		t.Errorf("the rollback is %+v", back)
	}
	s.runs("hello", "web.1 v7")
	s.push("hello/release", "astray", "no such verb")
	s.settled("hello", 8, "failed")
	s.serves("hello", "one")
	said := s.api(http.StatusUnprocessableEntity, http.MethodPatch, "/apps/hello/formation/release", map[string]any{"quantity": 1})
	if !strings.Contains(string(said), "cannot be scaled") {
		t.Errorf("scaling the release command: %s", said)
	}
}
