package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"renga/e2e"
)

// TestAnAddressThatCannotAnswerSaysWhy goes through the states of an app in
// which nobody answers for it.
func TestAnAddressThatCannotAnswerSaysWhy(t *testing.T) {
	s := newStory(t)
	s.start()
	s.shows("hello", http.StatusNotFound, "no-such-app")
	s.api(http.StatusNotFound, http.MethodGet, "/apps/hello", nil)
	s.api(http.StatusCreated, http.MethodPost, "/apps", map[string]string{"name": "hello"})
	s.shows("hello", http.StatusServiceUnavailable, "H81")
	s.push("hello", "pages")
	s.up("hello", "pages")
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello", map[string]bool{"maintenance": true})
	s.shows("hello", http.StatusServiceUnavailable, "H80")
	s.runs("hello", "web.1 v2") // dynos run on meanwhile
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello", map[string]bool{"maintenance": false})
	s.up("hello", "pages")
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello/formation/web", map[string]int{"quantity": 0})
	s.shows("hello", http.StatusServiceUnavailable, "H14")
	s.push("doomed", "pages-exit", "exit", "1")
	s.shows("doomed", http.StatusServiceUnavailable, "H10")
	s.api(http.StatusOK, http.MethodDelete, "/apps/hello", nil)
	s.shows("hello", http.StatusNotFound, "no-such-app")
}

// shows waits until an address answers with a code's page. It has less time
// than the dyno manager takes between its regular looks.
func (s *story) shows(host string, status int, code string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 15*time.Second)
	defer cancel()
	s.must(e2e.Poll(ctx, func() error {
		answer, err := s.w.Get(ctx, host, "/")
		if err == nil && (answer.Status != status || answer.Header.Get("X-Renga-Error") != code) {
			err = fmt.Errorf("%d %s, want %d %s", answer.Status, answer.Header.Get("X-Renga-Error"), status, code)
		}
		return err
	}))
}
