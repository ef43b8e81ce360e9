package api_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

// ends are the ways in which Carol loses her right to hello. The authorization is
// that of her token.
var ends = map[string]func(t *testing.T, fixture *fixture, authorization string){
	"she is removed": func(t *testing.T, fixture *fixture, _ string) {
		scenario{
			Method: "DELETE", URL: "/apps/hello/collaborators/carol@example.com", Has: []string{wiretest.SharingID},
		}.Play(t, fixture)
	},
	"her token is revoked": func(t *testing.T, fixture *fixture, authorization string) {
		scenario{
			Method: "DELETE", URL: "/oauth/authorizations/" + authorization, Headers: wiretest.Bearer("carol-token"),
			Has: []string{authorization},
		}.Play(t, fixture)
	},
	"her token is made anew": func(t *testing.T, fixture *fixture, authorization string) {
		scenario{
			Method: "POST", URL: "/oauth/authorizations/" + authorization + "/actions/regenerate-tokens",
			Headers: wiretest.Bearer("carol-token"), Has: []string{authorization},
		}.Play(t, fixture)
	},
	"her token expires": func(t *testing.T, fixture *fixture, authorization string) {
		_, err := fixture.DB.UpdateAuthorization(t.Context(), wiretest.Carol.ID, authorization, func(a *renga.Authorization) error {
			a.ExpiresAt = time.Now().Add(-time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	},
	"her password is another": func(t *testing.T, fixture *fixture, _ string) {
		if err := fixture.DB.SetPassword(t.Context(), wiretest.Carol.ID, "another hash"); err != nil {
			t.Fatal(err)
		}
	},
	"the app is deleted": func(t *testing.T, fixture *fixture, _ string) {
		scenario{Method: "DELETE", URL: "/apps/hello", Has: []string{string(wiretest.Hello)}}.Play(t, fixture)
	},
}

// asCarolWith logs Carol in with a password.
func asCarolWith(t *testing.T, fixture *fixture) (authorization string, headers map[string]string) {
	t.Helper()
	if err := fixture.DB.SetPassword(t.Context(), wiretest.Carol.ID, "a hash"); err != nil {
		t.Fatal(err)
	}
	login := renga.Bearer{
		Account:       wiretest.Carol,
		Authorization: renga.Authorization{Password: renga.PasswordName("a hash")},
	}
	a, token, err := fixture.People.Authorize(t.Context(), login, renga.Authorization{Scopes: renga.Scopes{renga.ScopeGlobal}})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID, wiretest.Bearer(token)
}

// handed gets the URLs that Carol is given.
var handed = map[string]func(t *testing.T, fixture *fixture, headers map[string]string) string{
	"the tail of the log": func(t *testing.T, fixture *fixture, headers map[string]string) string {
		_, body := fixture.Ask("POST", "/apps/hello/log-sessions", `{"tail":true}`, headers)
		return wiretest.Fields(t, "["+body+"]", "logplex_url")[0]
	},
	"the output of a release": func(t *testing.T, fixture *fixture, headers map[string]string) string {
		_, body := fixture.Ask("GET", "/apps/hello/releases/4", "", headers)
		return wiretest.Fields(t, "["+body+"]", "output_stream_url")[0]
	},
}

// newStreams is a fixture whose log and release command both go on.
func newStreams() *fixture {
	fixture := newSeeded(wiretest.WithPhase, func(s *wiretest.Seed) {
		s.Releases[wiretest.Hello][3].Outcome.Phase = renga.PhaseNone
	})
	fixture.RecheckPause = time.Millisecond
	return fixture
}

// TestAStreamEndsWithTheRight checks that a stream breaks off when its reader loses
// the right to it, and that its URL opens nothing afterwards.
func TestAStreamEndsWithTheRight(t *testing.T) {
	for what, hand := range handed {
		for how, end := range ends {
			t.Run(what+" when "+how, func(t *testing.T) {
				fixture := newStreams()
				server := httptest.NewServer(fixture)
				defer server.Close()
				authorization, headers := asCarolWith(t, fixture)
				u, err := url.Parse(hand(t, fixture, headers))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+u.RequestURI(), nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := server.Client().Do(req)
				if err != nil || res.StatusCode != http.StatusOK {
					t.Fatal(res, err)
				}
				defer res.Body.Close()
				from := bufio.NewReader(res.Body)
				if _, err := from.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				end(t, fixture, authorization)
				_, _ = io.Copy(io.Discard, from) // it ends, or breaks off
				if ctx.Err() != nil {
					t.Fatal("the stream goes on")
				}
				if rec := fixture.Get(u.RequestURI()); rec.Code != http.StatusForbidden &&
					rec.Code != http.StatusNotFound || strings.Contains(rec.Body.String(), "migrating") {
					t.Errorf("its URL gets %d %s", rec.Code, rec.Body)
				}
			})
		}
	}
}

// TestAStreamsURLIsItsReaders checks that a URL ends with its reader's right, and
// after some time, but not with the right of others.
func TestAStreamsURLIsItsReaders(t *testing.T) {
	fixture := newStreams()
	fixture.EndStreams()
	failed := renga.Outcome{Status: renga.Failed, Phase: renga.PhaseFailed, At: wiretest.Born}
	if err := fixture.DB.SetOutcome(t.Context(), wiretest.Hello, 4, failed); err != nil {
		t.Fatal(err)
	}
	_, headers := asCarolWith(t, fixture)
	for what, hand := range handed {
		carols, adas := hand(t, fixture, headers), hand(t, fixture, nil)
		if carols == adas {
			t.Errorf("%s: two people got one URL", what)
		}
		if again := hand(t, fixture, headers); what != "the tail of the log" && again != carols {
			t.Errorf("%s: it changes by itself, and the release's ETag with it", what)
		}
		for late, want := range map[time.Duration]int{0: 200, 50 * time.Minute: 200, 3 * time.Hour: 403} {
			fixture.Late = late
			if rec := fixture.Get(adas); rec.Code != want {
				t.Errorf("%s: after %s %d, want %d: %s", what, late, rec.Code, want, rec.Body)
			}
		}
		fixture.Late = 0
	}
	scenario{
		Method: "DELETE", URL: "/apps/hello/collaborators/carol@example.com", Has: []string{wiretest.SharingID},
	}.Play(t, fixture)
	for what, hand := range handed {
		if rec := fixture.Get(hand(t, fixture, nil)); rec.Code != http.StatusOK {
			t.Errorf("%s: who stayed gets %d %s", what, rec.Code, rec.Body)
		}
	}
}

// TestADynosClientIsAskedAgain checks that a dyno which waits for its client, or
// has one, is told when the right to run programs ends.
func TestADynosClientIsAskedAgain(t *testing.T) {
	for _, begin := range []struct{ url, body string }{
		{"/apps/hello/dynos", `{"command":"bash","attach":true}`},
		{"/apps/hello/dynos/web.1/exec", `{"command":"bash"}`},
	} {
		for how, end := range ends {
			fixture := newFixture(nil)
			authorization, headers := asCarolWith(t, fixture)
			if res, body := fixture.Ask("POST", begin.url, begin.body, headers); res.StatusCode != http.StatusCreated {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
			if err := fakeOf(fixture).still(t.Context()); err != nil {
				t.Errorf("%s: may not, at first: %v", begin.url, err)
			}
			end(t, fixture, authorization)
			if kind := renga.KindOf(fakeOf(fixture).still(t.Context())); kind != renga.Forbidden && kind != renga.NotFound {
				t.Errorf("%s: when %s, she may still: %q", begin.url, how, kind)
			}
		}
		fixture := newFixture(nil)
		_, headers := asCarolWith(t, fixture)
		fixture.Ask("POST", begin.url, begin.body, headers)
		fixture.Edit(t, wiretest.Hello, func(a *renga.App) {
			a.Collaborators = wiretest.With(wiretest.Carol, renga.MayDeploy)
		})
		if kind := renga.KindOf(fakeOf(fixture).still(t.Context())); kind != renga.Forbidden {
			t.Errorf("%s: who may deploy only runs programs still: %q", begin.url, kind)
		}
	}
}
