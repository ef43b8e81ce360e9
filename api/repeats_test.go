package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/api/wire/wiretest"
)

// asRepeat gives the headers of a request that may be repeated.
func asRepeat(id string) map[string]string { return wiretest.Header("Request-Id", id) }

func newID() string { return uuid.NewString() + "," + uuid.NewString() }

func TestRepeatedRequestsActOnce(t *testing.T) {
	for name, repeat := range map[string]struct {
		method, url, body string
	}{
		"create":     {"POST", "/apps", `{}`},
		"config set": {"PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
		"rollback":   {"POST", "/apps/hello/releases", `{"release":"3"}`},
		"restart":    {"DELETE", "/apps/hello/dynos", ""},
		"delete":     {"DELETE", "/apps/hello", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fixture, id := newFixture(nil), newID()
			first, body := fixture.Ask(repeat.method, repeat.url, repeat.body, asRepeat(id))
			acted := actsOf(t, fixture)
			again, same := fixture.Ask(repeat.method, repeat.url, repeat.body, asRepeat(id))
			if first.StatusCode/100 != 2 || again.StatusCode != first.StatusCode || same != body ||
				again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%d %s, then %d %s", first.StatusCode, body, again.StatusCode, same)
			}
			if again.Header.Get("Content-Type") != first.Header.Get("Content-Type") ||
				again.Header.Get("Request-Id") == "" {
				t.Errorf("headers %v, then %v", first.Header, again.Header)
			}
			if now := actsOf(t, fixture); now != acted {
				t.Errorf("it acted again: %s, then %s", acted, now)
			}
		})
	}
}

// actsOf says how many apps there are, and which releases and restarts hello has.
func actsOf(t *testing.T, r *fixture) string {
	t.Helper()
	apps, err := r.DB.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	desired, err := r.DB.Desired(t.Context(), wiretest.Hello)
	if renga.KindOf(err) == renga.NotFound {
		return fmt.Sprint(len(apps), " apps")
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(apps), " apps, release ", r.Versions(t, wiretest.Hello), ", restarts ", desired.Restarts)
}

func TestRequestsThatAreMeantActAgain(t *testing.T) {
	roll := func(fixture *fixture, body string, headers map[string]string) {
		t.Helper()
		if res, answer := fixture.Ask("POST", "/apps/hello/releases", body, headers); res.StatusCode != 201 {
			t.Errorf("%s: %d %s", body, res.StatusCode, answer)
		}
	}
	id, body := newID(), `{"release":"3"}`
	for name, second := range map[string]func(*fixture){
		"another id":           func(fixture *fixture) { roll(fixture, body, asRepeat(newID())) },
		"another body":         func(fixture *fixture) { roll(fixture, `{"release":"2"}`, asRepeat(id)) },
		"no id":                func(fixture *fixture) { roll(fixture, body, nil) },
		"an id that is no one": func(fixture *fixture) { roll(fixture, body, asRepeat("session-17")) },
		"another key":          func(fixture *fixture) { roll(fixture, body, wiretest.Header("Idempotency-Key", "k2")) },
	} {
		t.Run(name, func(t *testing.T) {
			fixture := newFixture(nil)
			roll(fixture, body, asRepeat(id))
			releases := fixture.Versions(t, wiretest.Hello)
			second(fixture)
			if fixture.Versions(t, wiretest.Hello) != releases+1 {
				t.Error("it did not act")
			}
		})
	}
}

func TestWhatWasRefusedIsAskedAnew(t *testing.T) {
	fixture, id := newFixture(nil), newID()
	if res, body := fixture.Ask("POST", "/apps", `{"name":"hello"}`, asRepeat(id)); res.StatusCode != 422 {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	if err := fixture.DB.RemoveApp(t.Context(), wiretest.Hello); err != nil {
		t.Fatal(err)
	}
	if res, body := fixture.Ask("POST", "/apps", `{"name":"hello"}`, asRepeat(id)); res.StatusCode != 201 {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	fixture, key := newFixture(nil), wiretest.Header("Idempotency-Key", "deploy 17")
	_, first := fixture.Ask("POST", "/apps", `{}`, key)
	if _, again := fixture.Ask("POST", "/apps", `{}`, key); again != first {
		t.Errorf("made %s, then %s", first, again)
	}
	if res, body := fixture.Ask("POST", "/apps", `{"name":"fresh"}`, key); res.StatusCode != 422 ||
		!strings.Contains(body, "Idempotency-Key") {
		t.Errorf("for another body: %d %s", res.StatusCode, body)
	}
	if res, body := fixture.Ask(
		"POST", "/apps", `{}`, wiretest.Header("Idempotency-Key", strings.Repeat("k", 256)),
	); res.StatusCode != 400 {
		t.Errorf("for a long key: %d %s", res.StatusCode, body)
	}
	theirs := map[string]string{"Idempotency-Key": "deploy 17", "Authorization": "Bearer bob-token"}
	if res, body := fixture.Ask("POST", "/apps", `{"name":"bobs"}`, theirs); res.StatusCode != 201 {
		t.Errorf("for another account: %d %s", res.StatusCode, body)
	}
}

// TestRepeatsWaitForTheFirst sends one request ten times at once.
func TestRepeatsWaitForTheFirst(t *testing.T) {
	fixture, id := newFixture(nil), newID()
	answers := make([]string, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { _, answers[i] = fixture.Ask("POST", "/apps/hello/releases", `{"release":"3"}`, asRepeat(id)) })
	}
	wg.Wait()
	for _, answer := range answers {
		if answer != answers[0] {
			t.Errorf("answered %s and %s", answers[0], answer)
		}
	}
	if n := fixture.Versions(t, wiretest.Hello); n != 5 {
		t.Errorf("%d releases, want 5", n)
	}
}

// newBreakingProxy forwards requests, and breaks the connection of the first few
// after the API has carried them out and before the answer is sent.
func newBreakingProxy(t *testing.T, api string, cuts int32) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int32
	left.Store(cuts)
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", api
		res, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || left.Add(-1) >= 0 {
			panic(http.ErrAbortHandler) // net/http closes the connection
		}
		w.WriteHeader(res.StatusCode)
		_, _ = w.Write(body)
	})}
	done := make(chan error, 1)
	go func() { done <- proxy.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(proxy.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

func TestConnectionsThatBreakAfterTheActLoseNothing(t *testing.T) {
	fixture := newFixture(nil)
	server := httptest.NewServer(fixture)
	defer server.Close()
	through := newBreakingProxy(t, strings.TrimPrefix(server.URL, "http://"), 3)
	id, broken := newID(), 0
	for range 6 { // as often as the official CLI tries
		req, err := http.NewRequest("POST", through+"/apps", bytes.NewReader([]byte(`{}`)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Request-Id", id)
		res, err := http.DefaultTransport.RoundTrip(wiretest.AsAda(req))
		if err != nil {
			broken++
			continue
		}
		_ = res.Body.Close()
		apps, err := fixture.DB.AppIDs(t.Context())
		if err != nil || res.StatusCode != 201 || broken != 3 || len(apps) != 3 {
			t.Errorf("after %d broken connections %d, and apps are %v, %v", broken, res.StatusCode, apps, err)
		}
		return
	}
	t.Error(fmt.Errorf("no try got an answer"))
}

// TestAClientThatLeavesLosesNothing checks that the change is carried out to its
// end, and that the client gets the answer when it asks again.
func TestAClientThatLeavesLosesNothing(t *testing.T) {
	fixture, id := newFixture(nil), newID()
	ctx, leave := context.WithCancel(t.Context())
	fakeOf(fixture).creating = func(ctx context.Context) error {
		leave()
		return ctx.Err()
	}
	req := wiretest.AsAda(httptest.NewRequestWithContext(ctx, "POST", "/apps", strings.NewReader(`{"name":"fresh"}`)))
	req.Header.Set("Request-Id", id)
	fixture.ServeHTTP(httptest.NewRecorder(), req)
	fakeOf(fixture).creating = nil
	if res, body := fixture.Ask("POST", "/apps", `{"name":"fresh"}`, asRepeat(id)); res.StatusCode != 201 ||
		res.Header.Get("Idempotent-Replayed") == "" {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestAPanicGivesTheClaimBack(t *testing.T) {
	fixture, id := newFixture(nil), newID()
	fakeOf(fixture).creating = func(context.Context) error { panic("no") }
	if res, _ := fixture.Ask("POST", "/apps", `{"name":"fresh"}`, asRepeat(id)); res.StatusCode != 500 {
		t.Errorf("a panic gets %d", res.StatusCode)
	}
	fakeOf(fixture).creating = nil
	if res, body := fixture.Ask("POST", "/apps", `{"name":"fresh"}`, asRepeat(id)); res.StatusCode != 201 {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

// TestRepeatsAreForTheAuthorizationThatAsked checks that an answer is sent again
// only to the token that got it, and only while that has the right.
func TestRepeatsAreForTheAuthorizationThatAsked(t *testing.T) {
	fixture := newFixture(nil)
	const path, body = "/oauth/authorizations", `{"scope":["global"]}`
	ask := func(token string) (int, string) {
		res, answer := fixture.Ask(
			"POST", path, body, map[string]string{"Idempotency-Key": "k", "Authorization": "Bearer " + token},
		)
		return res.StatusCode, answer
	}
	ada := renga.Bearer{Account: wiretest.Ada}
	_, narrow, err := fixture.People.Authorize(t.Context(), ada, renga.Authorization{Scopes: renga.Scopes{renga.ScopeIdentity}})
	if err != nil {
		t.Fatal(err)
	}
	global := renga.Authorization{Scopes: renga.Scopes{renga.ScopeGlobal}}
	_, wide, err := fixture.People.Authorize(t.Context(), renga.Bearer{Account: wiretest.Ada}, global)
	if err != nil {
		t.Fatal(err)
	}
	status, first := ask("ada-token")
	if status != 201 {
		t.Fatalf("%d: %s", status, first)
	}
	if status, answer := ask(narrow); status != 403 || strings.Contains(answer, "token") {
		t.Errorf("a token of scope identity gets %d: %s", status, answer)
	}
	if status, answer := ask("ada-token/identity"); status != 403 {
		t.Errorf("a token that was narrowed gets %d: %s", status, answer)
	}
	if status, answer := ask(wide); status != 201 || answer == first {
		t.Errorf("another token gets %d, the first one's answer is %v", status, answer == first)
	}
	if _, answer := ask("ada-token"); answer != first {
		t.Errorf("the first token gets %s, and got %s", answer, first)
	}
}

func TestRepeatsEndWithTheRight(t *testing.T) {
	for name, act := range map[string]struct {
		method, url, body string
		status            int // of a repeat after the right was lost
	}{
		"config vars":  {"PATCH", "/apps/hello/config-vars", `{"A":"b"}`, 403},
		"a log":        {"POST", "/apps/hello/log-sessions", `{}`, 403},
		"leaving":      {"DELETE", "/apps/hello/collaborators/carol@example.com", "", 200},
		"other's body": {"POST", "/apps/hello/releases", `{"description":"again"}`, 403},
	} {
		fixture := newFixture(nil)
		headers := map[string]string{"Idempotency-Key": name, "Authorization": "Bearer carol-token"}
		first, answer := fixture.Ask(act.method, act.url, act.body, headers)
		if first.StatusCode/100 != 2 {
			t.Errorf("%s: %d %s", name, first.StatusCode, answer)
		}
		fixture.Edit(t, wiretest.Hello, func(a *renga.App) { a.Collaborators = nil })
		again, same := fixture.Ask(act.method, act.url, act.body, headers)
		if again.StatusCode != act.status || (same == answer) != (act.status == 200) {
			t.Errorf("%s: repeated without the right %d %s", name, again.StatusCode, same)
		}
		headers["Idempotency-Key"] = "another"
		if late, _ := fixture.Ask(act.method, act.url, act.body, headers); late.StatusCode != 403 {
			t.Errorf("%s: asked anew without the right %d", name, late.StatusCode)
		}
	}
}

func TestARenameIsRepeated(t *testing.T) {
	fixture := newFixture(nil)
	first, answer := fixture.Ask("PATCH", "/apps/hello", `{"name":"fresh"}`, wiretest.Header("Idempotency-Key", "k"))
	again, same := fixture.Ask("PATCH", "/apps/hello", `{"name":"fresh"}`, wiretest.Header("Idempotency-Key", "k"))
	if first.StatusCode != 200 || again.StatusCode != 200 || same != answer {
		t.Errorf("%d %s, then %d %s", first.StatusCode, answer, again.StatusCode, same)
	}
	if other, _ := fixture.Ask(
		"PATCH", "/apps/hello", `{"name":"other"}`, wiretest.Header("Idempotency-Key", "k"),
	); other.StatusCode != 404 {
		t.Errorf("another body gets %d", other.StatusCode)
	}
}
