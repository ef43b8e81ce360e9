package releases_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// outputURL gives the output_stream_url of a release of hello; empty if it has
// none.
func outputURL(t *testing.T, fixture *fixture, release string) string {
	t.Helper()
	_, body := fixture.Ask("GET", "/apps/hello/releases/"+release, "", nil)
	var seen struct {
		URL string `json:"output_stream_url"`
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err)
	}
	return seen.URL
}

func TestTheOutputOfAReleaseCommandIsReadByItsURLAlone(t *testing.T) {
	fixture := newFixture(wiretest.WithPhase)
	if u := outputURL(t, fixture, "3"); u != "" {
		t.Errorf("a release without a command has output at %s", u)
	}
	at := outputURL(t, fixture, "4")
	if !strings.HasPrefix(at, "http://api.renga.localhost:5000/streams/releases/") {
		t.Fatalf("output is at %q", at)
	}
	rec := fixture.Get(at)
	if rec.Code != 200 || rec.Body.String() != "migrating\ndone\n" ||
		!strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") || !rec.Flushed {
		t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	key := u.Query().Get("key")
	for _, wrong := range []string{
		u.Path, u.Path + "?key=", u.Path + "?key=" + key[1:], strings.Replace(u.Path, "/4", "/3", 1) + "?key=" + key,
		strings.Replace(
			u.Path, string(wiretest.Hello), string(wiretest.Other), 1,
		) + "?key=" + key, "/streams/releases/x/y?key=" + key,
	} {
		if rec := fixture.Get(wrong); rec.Code != 404 || strings.Contains(rec.Body.String(), "migrating") {
			t.Errorf("%s: %d %s", wrong, rec.Code, rec.Body)
		}
	}
	if strings.Contains(fixture.Logged.String(), key) {
		t.Error("the key is in the log")
	}
}
