package people_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// logDoraIn logs in as the official CLI does with -i.
func logDoraIn(t *testing.T, fixture *fixture, password string) grant {
	t.Helper()
	return wiretest.AskFor[grant](t, fixture, "POST", "/oauth/authorizations",
		`{"description":"Heroku CLI login from laptop","expires_in":2592000,"scope":["global"]}`,
		wiretest.Header("Authorization", wiretest.Basic("dora@example.com", password)), 201)
}

// TestANewPasswordEndsWhatTheOldOneOpened checks logins of the CLI and of browsers.
// The login that asks stays, and so does what was made with the token of a login.
func TestANewPasswordEndsWhatTheOldOneOpened(t *testing.T) {
	b := beginLogin(t)
	if status, body := b.send(t, doraPassword, nil); status != 200 {
		t.Fatalf("the browser gets %d: %s", status, body)
	}
	browser := wiretest.Bearer(b.awaited(t, b.secret)["access_token"])
	fixture := b.fixture
	asks, other := logDoraIn(t, fixture, doraPassword), logDoraIn(t, fixture, doraPassword)
	robot := wiretest.AskFor[grant](t, fixture, "POST", "/oauth/authorizations", `{"description":"robot"}`,
		wiretest.Bearer(other.AccessToken.Token), 201)
	regenerated := logDoraIn(t, fixture, doraPassword)
	regenerated = wiretest.AskFor[grant](t, fixture, "POST",
		"/oauth/authorizations/"+regenerated.ID+"/actions/regenerate-tokens", "",
		wiretest.Bearer(robot.AccessToken.Token), 200)

	const change = `{"password":"` + doraPassword + `","new_password":"another horse"}`
	wiretest.AskFor[any](t, fixture, "PATCH", "/account", change, wiretest.Bearer(asks.AccessToken.Token), 200)
	for who, want := range map[string]struct {
		headers map[string]string
		status  int
	}{
		"the login that asked":      {wiretest.Bearer(asks.AccessToken.Token), 200},
		"another login":             {wiretest.Bearer(other.AccessToken.Token), 401},
		"the browser's login":       {browser, 401},
		"a login's new token":       {wiretest.Bearer(regenerated.AccessToken.Token), 401},
		"a token that a login made": {wiretest.Bearer(robot.AccessToken.Token), 200},
		"a token of somebody else":  {nil, 200},
	} {
		if res, body := fixture.Ask("GET", "/account", "", want.headers); res.StatusCode != want.status {
			t.Errorf("%s gets %d, want %d: %s", who, res.StatusCode, want.status, body)
		}
	}
	wiretest.AskFor[any](t, fixture, "POST", "/oauth/authorizations", "",
		wiretest.Header("Authorization", wiretest.Basic("dora@example.com", doraPassword)), 401)
	if fresh := logDoraIn(t, fixture, "another horse"); fresh.User.Email != "dora@example.com" {
		t.Errorf("logged in %+v", fresh)
	}
	for _, secret := range []string{doraPassword, "another horse"} {
		if strings.Contains(fixture.Logged.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestAPasswordIsChangedByWhoKnowsIt checks that a token is not enough, and that
// guesses with a token are delayed like those without.
func TestAPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	b := beginLogin(t)
	mine := wiretest.Bearer(logDoraIn(t, b.fixture, doraPassword).AccessToken.Token)
	patch := func(body string, status int, says string) {
		t.Helper()
		res, text := b.fixture.Ask("PATCH", "/account", body, mine)
		if res.StatusCode != status || !strings.Contains(text, says) {
			t.Errorf("%s gets %d, want %d: %s", body, res.StatusCode, status, text)
		}
	}
	patch(`{"new_password":"another horse"}`, 422, "takes the current password")
	patch(`{"new_password":"short","password":"`+doraPassword+`"}`, 422, "8 to 1024 characters")
	for range 5 {
		patch(`{"new_password":"another horse","password":"a guess"}`, 403, "not this account's current password")
	}
	patch(`{"new_password":"another horse","password":"a guess"}`, 429, "Too many tries")
}
