package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"renga/e2e"
)

// bedtime is what the API says of an app's sleep.
type bedtime struct {
	Asleep      bool       `json:"asleep"`
	LastRequest *time.Time `json:"last_request_at"`
}

func (s *story) bedtime(app string) (b bedtime) {
	s.Helper()
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/"+app+"/sleep", nil), &b))
	return b
}

// sleeps waits until the app sleeps and nothing of it runs.
func (s *story) sleeps(app string) {
	s.Helper()
	s.poll(func() error {
		if !s.bedtime(app).Asleep {
			return errors.New("it is awake")
		}
		return nil
	})
	s.runs(app)
}

// about gives the lines in which the platform says that of a dyno's life.
func (s *story) about(app, pattern string) []string {
	s.Helper()
	wanted := regexp.MustCompile(pattern)
	return slices.DeleteFunc(s.logFrom(app, "heroku"), func(line string) bool { return !wanted.MatchString(line) })
}

// newDrowsyStory is a story with an app that sleeps after a second.
func newDrowsyStory(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.start()
	s.push("hello", "v1")
	s.up("hello", "v1")
	s.api(http.StatusOK, http.MethodPatch, "/apps/hello/sleep", map[string]any{"after": 1})
	return s
}

// TestAHerdOfRequestsWakesAnAppOnce has the requests carry something, so that
// none of them can have been made twice, or up to one and not another.
func TestAHerdOfRequestsWakesAnAppOnce(t *testing.T) {
	s := newDrowsyStory(t)
	s.sleeps("hello")
	before := len(s.about("hello", "^Starting process"))
	var herd sync.WaitGroup
	for n := range 100 {
		herd.Go(func() {
			body := fmt.Sprintf("request %d", n)
			got, err := s.w.Do(t.Context(), e2e.Request{Method: http.MethodPost, Host: s.w.Host("hello"), Path: "/echo", Body: []byte(body)})
			if err != nil || got.Status != http.StatusOK || string(got.Body) != body {
				t.Errorf("%s: %d %.200q, %v", body, got.Status, got.Body, err)
			}
		})
	}
	herd.Wait()
	s.sleeps("hello")
	if starts := len(s.about("hello", "^Starting process")) - before; starts != 1 {
		t.Errorf("%d dynos were started", starts)
	}
	life := s.about("hello", "^(Idling|Unidling|State changed)")
	want := []string{
		"State changed from down to starting", "State changed from starting to up",
		"Idling", "State changed from up to down", "Unidling", "State changed from down to starting", "State changed from starting to up",
		"Idling", "State changed from up to down",
	}
	if !slices.Equal(life, want) {
		t.Errorf("the log tells %q; want %q", life, want)
	}
}

func TestAWebSocketWakesAnAppAndKeepsItUp(t *testing.T) {
	s := newDrowsyStory(t)
	s.sleeps("hello")
	url := strings.Replace(s.w.URL(s.w.Host("hello")), "http", "ws", 1) + "/ws"
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: s.w.Client()})
	s.must(err)
	defer func() { _ = conn.CloseNow() }() // it was closed in order
	opened := time.Now()
	s.poll(func() error {
		if b := s.bedtime("hello"); b.Asleep || b.LastRequest == nil || b.LastRequest.Sub(opened) < 4*time.Second {
			return fmt.Errorf("%+v", b)
		}
		return nil
	})
	s.must(conn.Write(t.Context(), websocket.MessageText, []byte("still there")))
	if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "still there" {
		t.Errorf("got %q, %v", text, err)
	}
	s.must(conn.Close(websocket.StatusNormalClosure, ""))
	s.sleeps("hello")
}

// TestNoRequestIsLostAsAnAppFallsAsleep asks just when the app falls asleep: a
// little before, while its route and its mark change, and while its dyno ends.
func TestNoRequestIsLostAsAnAppFallsAsleep(t *testing.T) {
	s := newDrowsyStory(t)
	for pause := 980 * time.Millisecond; pause < 1200*time.Millisecond; pause += 25 * time.Millisecond {
		s.must(s.says("hello", "/", "hello from v1"))
		time.Sleep(pause) // the moment is what is tried; it orders nothing
	}
	s.must(s.says("hello", "/", "hello from v1"))
	if naps := len(s.about("hello", "^Idling")); naps == 0 {
		t.Error("it never fell asleep")
	}
}
