package people_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
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

func TestAuthorizationsAreMadeUsedAndRevoked(t *testing.T) {
	fixture := newFixture()
	const path = "/oauth/authorizations"
	made := wiretest.AskFor[grant](
		t, fixture, "POST", path, `{"description":"robot","expires_in":"3600","scope":["read"]}`, nil, 201,
	)
	token := made.AccessToken.Token
	if made.Description != "robot" || len(token) != 64 || made.User.Email != "ada@example.com" ||
		made.Scope[0] != "read" || made.AccessToken.ExpiresIn == nil {
		t.Fatalf("made %+v", made)
	}
	wiretest.AskFor[[]any](t, fixture, "GET", "/apps", "", wiretest.Bearer(token), 200)
	wiretest.AskFor[any](t, fixture, "GET", "/account", "", wiretest.Bearer(token), 403)
	wiretest.AskFor[any](t, fixture, "GET", path, "", wiretest.Bearer(token), 403)
	wiretest.AskFor[any](t, fixture, "POST", path, "{}", wiretest.Bearer(token), 403)

	all := wiretest.AskFor[[]grant](t, fixture, "GET", path, "", nil, 200)
	if len(all) != 2 {
		t.Fatalf("%d authorizations, want the default one and this", len(all))
	}
	for _, g := range all {
		if g.ID == made.ID && g.AccessToken.Token != token[:4]+"**********"+token[60:] {
			t.Errorf("the token is shown again as %s", g.AccessToken.Token)
		}
	}
	renamed := wiretest.AskFor[grant](t, fixture, "PATCH", path+"/"+made.ID, `{"description":"android"}`, nil, 200)
	if renamed.Description != "android" || renamed.AccessToken.Token == token {
		t.Errorf("renamed %+v", renamed)
	}
	fresh := wiretest.AskFor[grant](
		t, fixture, "POST", path+"/"+made.ID+"/actions/regenerate-tokens", "", nil, 200,
	).AccessToken.Token
	wiretest.AskFor[any](t, fixture, "GET", "/apps", "", wiretest.Bearer(token), 401)
	wiretest.AskFor[any](t, fixture, "GET", "/apps", "", wiretest.Bearer(fresh), 200)
	wiretest.AskFor[grant](t, fixture, "DELETE", path+"/"+made.ID, "", nil, 200)
	wiretest.AskFor[any](t, fixture, "GET", "/apps", "", wiretest.Bearer(fresh), 401)
	wiretest.AskFor[any](t, fixture, "GET", path+"/"+made.ID, "", nil, 404)
	for _, secret := range []string{token, fresh} {
		if strings.Contains(fixture.Logged.String(), secret) {
			t.Error("the log holds a token")
		}
	}
}

func TestAuthorizations(t *testing.T) {
	const path = "/oauth/authorizations"
	run(t, []scenario{
		{
			Name: "without scope nor description", Method: "POST", URL: path, Body: `{"description":null}`,
			Status: 201,
			Has: []string{
				`"scope":["global"]`, `"expires_in":null`, `"description":"Long-lived user authorization"`,
			},
			After: wiretest.AuditedOfAccount("authorization created"),
		},
		{
			Name: "scope that is none", Method: "POST", URL: path, Body: `{"scope":["root"]}`, Status: 422,
			Has: []string{`Scope \"root\" does not exist`},
		},
		{Name: "no scope at all", Method: "POST", URL: path, Body: `{"scope":[]}`, Status: 422},
		{Name: "expiry that is none", Method: "POST", URL: path, Body: `{"expires_in":"soon"}`, Status: 422},
		{Name: "expiry in the past", Method: "POST", URL: path, Body: `{"expires_in":-1}`, Status: 422},
		{Name: "for a client", Method: "POST", URL: path, Body: `{"client":"x"}`, Status: 422},
		{
			Name: "default one", URL: path + "/~",
			Has: []string{`"description":"Default authorization"`, `**********`}, HasNot: []string{"ada-token"},
		},
		{Name: "of another", URL: path + "/~", Headers: wiretest.AsBob, HasNot: []string{"ada@"}},
		{
			Name: "unknown", URL: path + "/10000000-0000-4000-8000-000000000009", Status: 404,
			Has: []string{`"resource":"authorization"`},
		},
		{Name: "sessions", URL: "/oauth/sessions", Has: []string{`[]`}},
		{
			Name: "session", Method: "DELETE", URL: "/oauth/sessions/~", Status: 404,
			Has: []string{`{"resource":"session","id":"not_found"`},
		},
	})
}

func TestAnAuthorizationEnds(t *testing.T) {
	fixture := newFixture()
	token := wiretest.AskFor[grant](
		t, fixture, "POST", "/oauth/authorizations", `{"expires_in":1}`, nil, 201,
	).AccessToken.Token
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if res, _ := fixture.Ask("GET", "/account", "", wiretest.Bearer(token)); res.StatusCode == http.StatusUnauthorized {
			if all := wiretest.AskFor[[]grant](t, fixture, "GET", "/oauth/authorizations", "", nil, 200); len(all) != 1 {
				t.Errorf("%d authorizations are listed, want the default one", len(all))
			}
			return
		}
		time.Sleep(50 * time.Millisecond) // only time passes
	}
	t.Error("a token of one second lives on")
}

func TestPasswordsMakeTokensAndNothingElse(t *testing.T) {
	fixture := newFixture()
	if _, _, err := fixture.People.Create(t.Context(), "Dora@example.com", "correct horse"); err != nil {
		t.Fatal(err)
	}
	login := func(email, password string) map[string]string {
		return wiretest.Header("Authorization", wiretest.Basic(email, password))
	}
	const path, body = "/oauth/authorizations", `{"description":"Heroku CLI login from desk","expires_in":2592000,` +
		`"scope":["global"]}`
	made := wiretest.AskFor[grant](t, fixture, "POST", path, body, login("dora@EXAMPLE.com", "correct horse"), 201)
	who := wiretest.AskFor[struct {
		Email     string
		LastLogin *string `json:"last_login"`
	}](t, fixture, "GET", "/account", "", wiretest.Bearer(made.AccessToken.Token), 200)
	if made.User.Email != "Dora@example.com" || who.Email != "Dora@example.com" || who.LastLogin == nil {
		t.Errorf("%+v, %+v", made, who)
	}
	wiretest.AskFor[any](t, fixture, "GET", "/account", "", login("dora@example.com", "correct horse"), 401)
	wiretest.AskFor[any](t, fixture, "GET", path, "", login("dora@example.com", "correct horse"), 401)
	for _, wrong := range []map[string]string{
		login("dora@example.com", "wrong"), login("dora@example.com", ""), login("nobody@example.com", "correct horse"),
		login("ada@example.com", ""), login("ada@example.com", "anything"),
	} {
		wiretest.AskFor[any](t, fixture, "POST", path, body, wrong, 401)
	}
	if strings.Contains(fixture.Logged.String(), "correct horse") {
		t.Error("the log holds a password")
	}
}

func TestGuessesOfPasswordsAreDelayed(t *testing.T) {
	fixture := newFixture()
	if _, _, err := fixture.People.Create(t.Context(), "dora@example.com", "correct horse"); err != nil {
		t.Fatal(err)
	}
	guess := func(email, password string) int {
		res, _ := fixture.Ask(
			"POST", "/oauth/authorizations", "{}", wiretest.Header("Authorization", wiretest.Basic(email, password)),
		)
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

// TestARobotsToken is made for an app, and reaches no route, whatever that takes.
func TestARobotsToken(t *testing.T) {
	fixture := newFixture()
	const path = "/oauth/authorizations"
	type robot struct {
		grant
		App *struct{ ID, Name string }
	}
	made := wiretest.AskFor[robot](
		t, fixture, "POST", path, `{"description":"CI","expires_in":3600,"scope":["registry-push"],"app":"hello"}`, nil, 201,
	)
	if made.App == nil || made.App.ID != string(wiretest.Hello) || made.App.Name != "hello" || made.AccessToken.ExpiresIn == nil {
		t.Fatalf("made %+v", made)
	}
	held, err := fixture.DB.Bearer(t.Context(), made.AccessToken.Token)
	if err != nil || held.Authorization.App != wiretest.Hello || !held.Authorization.Scopes.Allow(renga.ScopeRegistryPull) {
		t.Errorf("stored %+v, %v", held, err)
	}
	for _, route := range []string{"GET /apps", "GET /account", "GET " + path, "POST " + path} {
		method, url, _ := strings.Cut(route, " ")
		wiretest.AskFor[any](t, fixture, method, url, "", wiretest.Bearer(made.AccessToken.Token), 403)
	}
	all := wiretest.AskFor[[]robot](t, fixture, "GET", path, "", nil, 200)
	i := slices.IndexFunc(all, func(r robot) bool { return r.ID == made.ID })
	if i < 0 || all[i].App == nil || all[i].App.Name != "hello" || all[i].AccessToken.Token == made.AccessToken.Token {
		t.Errorf("listed %+v", all)
	}
	wiretest.AskFor[robot](t, fixture, "DELETE", path+"/"+made.ID, "", nil, 200)
	if _, err := fixture.DB.Bearer(t.Context(), made.AccessToken.Token); renga.KindOf(err) != renga.Unauthorized {
		t.Errorf("after it was revoked: %v", err)
	}
	for body, status := range map[string]int{
		`{"scope":["registry-push"]}`:                        422,
		`{"scope":["global"],"app":"hello"}`:                 422,
		`{"scope":["registry-pull","global"],"app":"hello"}`: 422,
		`{"app":"hello"}`:                                    422,
		`{"scope":["registry-pull"],"app":"nobody"}`:         404,
		`{"scope":["registry-pull"],"app":"other"}`:          403,
		`{"scope":["registry-admin"],"app":"hello"}`:         422,
	} {
		if res, got := fixture.Ask("POST", path, body, nil); res.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", body, res.StatusCode, got, status)
		}
	}
}
