package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestTheOperatorHasContentCollected(t *testing.T) {
	const url = "/platform/collections"
	audited := func(t *testing.T, r *fixture, _ *http.Response) {
		if !strings.Contains(r.Logged.String(), `"action":"content collected"`) {
			t.Errorf("no audit line: %s", r.Logged)
		}
	}
	run(t, []scenario{
		{Name: "in earnest", Method: "POST", URL: url, Body: `{}`, Status: 200, After: audited,
			Has: []string{`"removed":5`, `"kept":7`, `"longest_hold_ms":2`, `"name":"hello"`, `"expired":[2]`, `"name":null`}},
		{Name: "a dry run", Method: "POST", URL: url, Body: `{"dry_run":true}`, Status: 200, Has: []string{`"dry_run":true`}},
		{Name: "by somebody else", Method: "POST", URL: url, Body: `{}`, Headers: wiretest.Bearer("carol-token"), Status: 403,
			Has: []string{"Only the platform's operator"}},
	})
}
