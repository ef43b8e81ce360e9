package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"renga/api"
)

// grant is what tests read of an authorization.
type grant struct {
	ID, Description string
	Scope           []string
	AccessToken     struct {
		Token     string
		ExpiresIn *int `json:"expires_in"`
	} `json:"access_token"`
	User struct{ Email string }
}

// askFor asks and reads the answer, which must have that status.
func askFor[T any](t *testing.T, r *rig, method, url, body string, headers map[string]string, status int) T {
	t.Helper()
	var into T
	res, text := r.ask(method, url, body, headers)
	if res.StatusCode != status {
		t.Fatalf("%s %s gets %d, want %d: %s", method, url, res.StatusCode, status, text)
	}
	if err := json.Unmarshal([]byte(text), &into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, url, err, text)
	}
	return into
}

func bearer(token string) map[string]string { return header("Authorization", "Bearer "+token) }

func TestAuthorizationsAreMadeUsedAndRevoked(t *testing.T) {
	rig := newRig(nil)
	const path = "/oauth/authorizations"
	made := askFor[grant](t, rig, "POST", path, `{"description":"robot","expires_in":"3600","scope":["read"]}`, nil, 201)
	token := made.AccessToken.Token
	if made.Description != "robot" || len(token) != 64 || made.User.Email != "ada@example.com" || made.Scope[0] != "read" || made.AccessToken.ExpiresIn == nil {
		t.Fatalf("made %+v", made)
	}
	askFor[[]any](t, rig, "GET", "/apps", "", bearer(token), 200)
	askFor[any](t, rig, "GET", "/account", "", bearer(token), 403)
	askFor[any](t, rig, "GET", path, "", bearer(token), 403)
	askFor[any](t, rig, "POST", path, "{}", bearer(token), 403)

	all := askFor[[]grant](t, rig, "GET", path, "", nil, 200)
	if len(all) != 2 {
		t.Fatalf("%d authorizations, want the default one and this", len(all))
	}
	for _, g := range all {
		if g.ID == made.ID && g.AccessToken.Token != token[:4]+"**********"+token[60:] {
			t.Errorf("the token is shown again as %s", g.AccessToken.Token)
		}
	}
	renamed := askFor[grant](t, rig, "PATCH", path+"/"+made.ID, `{"description":"android"}`, nil, 200)
	if renamed.Description != "android" || renamed.AccessToken.Token == token {
		t.Errorf("renamed %+v", renamed)
	}
	fresh := askFor[grant](t, rig, "POST", path+"/"+made.ID+"/actions/regenerate-tokens", "", nil, 200).AccessToken.Token
	askFor[any](t, rig, "GET", "/apps", "", bearer(token), 401)
	askFor[any](t, rig, "GET", "/apps", "", bearer(fresh), 200)
	askFor[grant](t, rig, "DELETE", path+"/"+made.ID, "", nil, 200)
	askFor[any](t, rig, "GET", "/apps", "", bearer(fresh), 401)
	askFor[any](t, rig, "GET", path+"/"+made.ID, "", nil, 404)
	for _, secret := range []string{token, fresh} {
		if strings.Contains(rig.log.String(), secret) {
			t.Error("the log holds a token")
		}
	}
}

func TestAuthorizations(t *testing.T) {
	const path = "/oauth/authorizations"
	run(t, []scenario{
		{name: "without scope nor description", method: "POST", url: path, body: `{"description":null}`, status: 201, has: []string{`"scope":["global"]`, `"expires_in":null`, `"description":"Long-lived user authorization"`}, after: auditedOfAccount("authorization created")},
		{name: "scope that is none", method: "POST", url: path, body: `{"scope":["root"]}`, status: 422, has: []string{`Scope \"root\" does not exist`}},
		{name: "no scope at all", method: "POST", url: path, body: `{"scope":[]}`, status: 422},
		{name: "expiry that is none", method: "POST", url: path, body: `{"expires_in":"soon"}`, status: 422},
		{name: "expiry in the past", method: "POST", url: path, body: `{"expires_in":-1}`, status: 422},
		{name: "for a client", method: "POST", url: path, body: `{"client":"x"}`, status: 422},
		{name: "default one", url: path + "/~", has: []string{`"description":"Default authorization"`, `**********`}, hasNot: []string{"ada-token"}},
		{name: "of another", url: path + "/~", headers: asBob, hasNot: []string{"ada@"}},
		{name: "unknown", url: path + "/10000000-0000-4000-8000-000000000009", status: 404, has: []string{`"resource":"authorization"`}},
		{name: "sessions", url: "/oauth/sessions", has: []string{`[]`}},
		{name: "session", method: "DELETE", url: "/oauth/sessions/~", status: 404, has: []string{`{"resource":"session","id":"not_found"`}},
	})
}

func TestAnAuthorizationEnds(t *testing.T) {
	rig := newRig(nil)
	token := askFor[grant](t, rig, "POST", "/oauth/authorizations", `{"expires_in":1}`, nil, 201).AccessToken.Token
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if res, _ := rig.ask("GET", "/account", "", bearer(token)); res.StatusCode == http.StatusUnauthorized {
			if all := askFor[[]grant](t, rig, "GET", "/oauth/authorizations", "", nil, 200); len(all) != 1 {
				t.Errorf("%d authorizations are listed, want the default one", len(all))
			}
			return
		}
		time.Sleep(50 * time.Millisecond) // time is what is waited for
	}
	t.Error("a token of one second lives on")
}

func TestPasswordsMakeTokensAndNothingElse(t *testing.T) {
	rig := newRig(nil)
	if _, _, err := rig.people.Create(t.Context(), "Dora@example.com", "correct horse"); err != nil {
		t.Fatal(err)
	}
	login := func(email, password string) map[string]string { return header("Authorization", basic(email, password)) }
	const path, body = "/oauth/authorizations", `{"description":"Heroku CLI login from desk","expires_in":2592000,"scope":["global"]}`
	made := askFor[grant](t, rig, "POST", path, body, login("dora@EXAMPLE.com", "correct horse"), 201)
	who := askFor[struct {
		Email     string
		LastLogin *string `json:"last_login"`
	}](t, rig, "GET", "/account", "", bearer(made.AccessToken.Token), 200)
	if made.User.Email != "Dora@example.com" || who.Email != "Dora@example.com" || who.LastLogin == nil {
		t.Errorf("%+v, %+v", made, who)
	}
	askFor[any](t, rig, "GET", "/account", "", login("dora@example.com", "correct horse"), 401)
	askFor[any](t, rig, "GET", path, "", login("dora@example.com", "correct horse"), 401)
	for _, wrong := range []map[string]string{
		login("dora@example.com", "wrong"), login("dora@example.com", ""), login("nobody@example.com", "correct horse"),
		login("ada@example.com", ""), login("ada@example.com", "anything"),
	} {
		askFor[any](t, rig, "POST", path, body, wrong, 401)
	}
	if strings.Contains(rig.log.String(), "correct horse") {
		t.Error("the log holds a password")
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	rig := newRig(nil)
	if _, _, err := rig.people.Create(t.Context(), "dora@example.com", "correct horse"); err != nil {
		t.Fatal(err)
	}
	guess := func(email, password string) int {
		res, _ := rig.ask("POST", "/oauth/authorizations", "{}", header("Authorization", basic(email, password)))
		return res.StatusCode
	}
	refused := 0
	for range 10 {
		if guess("dora@example.com", "wrong") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("ten wrong passwords in a row are all looked at")
	}
	if got := guess("dora@example.com", "correct horse"); got != http.StatusTooManyRequests {
		t.Errorf("the right one is looked at before its turn: %d", got)
	}
	if got := guess("else@example.com", "wrong"); got != http.StatusUnauthorized {
		t.Errorf("another account is slowed down with it: %d", got)
	}
}

func TestRateLimit(t *testing.T) {
	rig := newRigWith(func(o *api.Options) { o.RateLimit = 3 })
	for left := range 3 {
		res, _ := rig.ask("GET", "/regions", "", nil)
		if got, want := res.Header.Get("RateLimit-Remaining"), string(rune('2'-left)); res.StatusCode != 200 || got != want {
			t.Errorf("%d, remaining %q, want %s", res.StatusCode, got, want)
		}
	}
	res, body := rig.ask("GET", "/regions", "", nil)
	if res.StatusCode != 429 || !strings.Contains(body, `{"id":"rate_limit","message":"Your account reached the API rate limit.`) || res.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	if res, body := rig.ask("GET", "/account/rate-limits", "", nil); res.StatusCode != 200 || strings.TrimSpace(body) != `{"remaining":0}` {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if res, _ := rig.ask("GET", "/regions", "", asBob); res.StatusCode != 200 {
		t.Errorf("another account gets %d", res.StatusCode)
	}
	rig.world.late += time.Hour / 3
	if res, _ := rig.ask("GET", "/regions", "", nil); res.StatusCode != 200 {
		t.Errorf("after a third of an hour: %d", res.StatusCode)
	}
}
