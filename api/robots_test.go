package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// TestARobotReachesNoRoute calls every one with a robot's token of the operator, who
// owns the app.
func TestARobotReachesNoRoute(t *testing.T) {
	fixture := newFull()
	_, token, err := fixture.People.Authorize(t.Context(), renga.Bearer{Account: wiretest.Ada}, renga.Authorization{
		App: wiretest.Hello, Scopes: renga.Scopes{renga.ScopeRegistryPush},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range locked() {
		path := pathOf(rt.Path())
		res, body := fixture.Ask(rt.Method(), path, `{}`, wiretest.Bearer(token))
		if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "This token is a robot's") {
			t.Errorf("%s %s: %d %s", rt.Method(), path, res.StatusCode, body)
		}
	}
}
