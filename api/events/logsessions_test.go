package events_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

// sessionOf opens a log session and gives the path of its stream.
func sessionOf(t *testing.T, r *fixture, body string) string {
	t.Helper()
	res, text := r.Ask("POST", "/apps/hello/log-sessions", body, nil)
	var session struct {
		URL string `json:"logplex_url"`
	}
	if err := json.Unmarshal([]byte(text), &session); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s, %v", res.StatusCode, text, err)
	}
	_, path, ok := strings.Cut(session.URL, "/streams/")
	if !ok {
		t.Fatalf("logplex_url is %s", session.URL)
	}
	return "/streams/" + path
}

func TestALogSessionIsReadWithoutAToken(t *testing.T) {
	fixture := newFixture()
	for body, want := range map[string]string{
		`{"lines":2}`:                         "5 6",
		`{}`:                                  "1 2 3 4 5 6",
		`{"dyno":"web"}`:                      "1 4 5",
		`{"dyno":"web.1","source":"app"}`:     "1",
		`{"source":"heroku","lines":1}`:       "4",
		`{"lines":0}`:                         "",
		`{"type":"web"}`:                      "1 4 5",
		`{"dyno_name":"web.1"}`:               "1 4",
		`{"dyno_name":"web.1","type":"web"}`:  "1 4",
		`{"dyno_name":"api","type":"web"}`:    "",
		`{"dyno_name":"api","dyno":"api"}`:    "6",
		`{"dyno":"router","source":"heroku"}`: "2",
	} {
		w := httptest.NewRecorder()
		fixture.ServeHTTP(w, httptest.NewRequest("GET", sessionOf(t, fixture, body), nil))
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			t.Errorf("%s: %d %s", body, w.Code, w.Header())
		}
		events := "retry: 10\n\n"
		for id := range strings.FieldsSeq(want) {
			var n int
			if _, err := fmt.Sscan(id, &n); err != nil {
				t.Fatal(err)
			}
			events += "id: " + id + "\ndata: " + wiretest.LogLines()[n-1].String() + "\n\n"
		}
		if got := w.Body.String(); got != events {
			t.Errorf("%s: got %q, want %q", body, got, events)
		}
	}
}

func TestOnlyTheKeyOfALogSessionOpensIt(t *testing.T) {
	fixture := newFixture()
	path := sessionOf(t, fixture, `{}`)
	status := func(path string) int {
		w := httptest.NewRecorder()
		fixture.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code
	}
	at := strings.Index(path, "key=") + 8
	for what, wrong := range map[string]string{
		"another app":   strings.Replace(path, string(wiretest.Hello), string(wiretest.Other), 1),
		"a changed key": path[:at] + string(path[at]^1) + path[at+1:],
		"no key":        path[:at-8],
		"half a key":    path[:len(path)-4],
	} {
		if got := status(wrong); got != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", what, got)
		}
	}
	if got := status(path); got != http.StatusOK {
		t.Errorf("%d, want 200", got)
	}
	fixture.Late = 2 * time.Hour
	if got := status(path); got != http.StatusForbidden {
		t.Errorf("after two hours: %d, want 403", got)
	}
	if strings.Contains(fixture.Logged.String(), path[at:]) {
		t.Error("the key is in the platform's log")
	}
}

func TestLogSessionsThatAreRefused(t *testing.T) {
	run(t, []scenario{
		{Name: "of another", Method: "POST", URL: "/apps/other/log-sessions", Body: `{}`, Status: 403},
		{Name: "of no app", Method: "POST", URL: "/apps/none/log-sessions", Body: `{}`, Status: 404},
		{Name: "fewer than none", Method: "POST", URL: "/apps/hello/log-sessions", Body: `{"lines":-1}`, Status: 422},
		{Name: "no number", Method: "POST", URL: "/apps/hello/log-sessions", Body: `{"lines":"x"}`, Status: 422},
	})
}

func TestATailGoesOnUntilTheServerEnds(t *testing.T) {
	fixture := newFixture()
	server := httptest.NewServer(fixture)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(
		ctx, "GET", server.URL+sessionOf(t, fixture, `{"tail":true,"lines":1,"source":"app"}`), nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	from := bufio.NewReader(res.Body)
	read := func(want string) {
		t.Helper()
		event := ""
		for !strings.HasSuffix(event, "\n\n") {
			line, err := from.ReadString('\n')
			if err != nil {
				t.Fatalf("%v after %q", err, event)
			}
			event += line
		}
		if !strings.Contains(event, want) {
			t.Errorf("event is %q, want %q", event, want)
		}
	}
	read("id: 6\ndata: ")
	read("heroku[logplex]: Error L11 (Tail buffer overflow) -> This tail session dropped 3 messages since ")
	read("id: 10\ndata: 2026-01-02T03:04:05.000000+00:00 app[web.1]: late")
	fakeOf(fixture).more <- renga.LogLine{
		ID: 11, Time: wiretest.Born, Source: "heroku", Dyno: "router", Text: "not chosen",
	}
	fakeOf(fixture).more <- renga.LogLine{ID: 12, Time: wiretest.Born, Source: "app", Dyno: "web.1", Text: "chosen"}
	read("id: 12\ndata: ")
	fixture.EndStreams()
	if rest, err := io.ReadAll(from); err != nil || len(rest) != 0 {
		t.Errorf("the end is %q, %v", rest, err)
	}
}

func TestATailContinuesAfterTheLastLine(t *testing.T) {
	fixture := newFixture()
	fixture.EndStreams() // so that it ends by itself
	req := httptest.NewRequest("GET", sessionOf(t, fixture, `{"tail":true,"lines":1}`), nil)
	req.Header.Set("Last-Event-ID", "4")
	w := httptest.NewRecorder()
	fixture.ServeHTTP(w, req)
	if got := w.Body.String(); !strings.HasPrefix(got, "id: 5\n") || !strings.Contains(got, "id: 6\n") {
		t.Errorf("got %q", got)
	}
}
