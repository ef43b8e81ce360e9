package api_test

import (
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

const asked = `You need to have manage permission on this app.`

func TestWhatCollaboratorsMay(t *testing.T) {
	run(t, []scenario{
		{
			Name: "look", Prepare: wiretest.Share, URL: "/apps/shared",
			Has: []string{`"owner":{"email":"bob@example.com"`},
		},
		{
			Name: "see it among all", Prepare: wiretest.Share, URL: "/apps",
			Has: []string{`"name":"shared"`, `"name":"hello"`, "bob@", "ada@"},
		},
		{
			Name: "see it among their own", Prepare: wiretest.Share, URL: "/users/~/apps",
			Has: []string{`"name":"shared"`},
		},
		{
			Name: "configure", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared/config-vars",
			Body: `{"A":"b"}`, Has: []string{`{"A":"b"}`},
		},
		{
			Name: "scale", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared/formation/web",
			Body: `{"quantity":0}`, Has: []string{`"app":{"id":"` + string(wiretest.Shared), `"quantity":0`},
		},
		{
			Name: "switch maintenance", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared",
			Body: `{"maintenance":true}`, Has: []string{`"maintenance":true`, `"name":"shared"`},
		},
		{
			Name: "not rename", Prepare: wiretest.Share, Method: "PATCH", URL: "/apps/shared",
			Body: `{"name":"mine"}`, Status: 403, Has: []string{asked},
		},
		{
			Name: "not delete", Prepare: wiretest.Share, Method: "DELETE", URL: "/apps/shared", Status: 403,
			Has: []string{`"id":"forbidden"`, asked},
		},
		{
			Name: "only look, when that is all", Prepare: viewOnly, Method: "PATCH", URL: "/apps/shared/config-vars",
			Body: `{"A":"b"}`, Status: 403, Has: []string{"operate permission"},
		},
	})
}

func viewOnly(s *wiretest.Seed) {
	wiretest.Share(s)
	s.Edit(wiretest.Shared, func(a *renga.App) { a.Collaborators = wiretest.With(wiretest.Ada, renga.MayView) })
}

func TestScopes(t *testing.T) {
	const none = "The scope of this OAuth authorization does not allow access to this resource"
	type row struct{ scope, method, url, body string }
	for want, rows := range map[int][]row{
		200: {
			{"identity", "GET", "/account", ""},
			{"read", "GET", "/apps", ""},
			{"read", "GET", "/apps/hello/releases", ""},
			{"read", "GET", "/regions", ""},
			{"write", "PATCH", "/apps/hello", `{"maintenance":true}`},
			{"write", "GET", "/apps/hello", ""},
			{"read-protected", "GET", "/apps/hello/config-vars", ""},
			{"read-protected", "GET", "/apps/hello/releases/3/config-vars", ""},
			{"read-protected", "GET", "/apps", ""},
			{"write-protected", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"write-protected", "GET", "/apps/hello/config-vars", ""},
			{"write-protected", "PATCH", "/apps/hello", `{"maintenance":true}`},
		},
		403: {
			{"identity", "GET", "/apps", ""},
			{"identity", "GET", "/apps/hello", ""},
			{"identity", "POST", "/apps", `{}`},
			{"read", "GET", "/account", ""},
			{"read", "GET", "/users/~", ""},
			{"read", "GET", "/apps/hello/config-vars", ""},
			{"read", "GET", "/apps/hello/releases/3/config-vars", ""},
			{"read", "PATCH", "/apps/hello", `{"maintenance":true}`},
			{"read", "GET", "/apps/nowhere/config-vars", ""},
			{"write", "GET", "/apps/hello/config-vars", ""},
			{"write", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"write", "GET", "/account", ""},
			{"read-protected", "PATCH", "/apps/hello/config-vars", `{"A":"b"}`},
			{"read-protected", "DELETE", "/apps/hello", ""},
		},
	} {
		for _, row := range rows {
			res, body := newFixture(nil).Ask(
				row.method, row.url, row.body, wiretest.Header("Authorization", "Bearer ada-token/"+row.scope),
			)
			if res.StatusCode != want || strings.Contains(body, none) != (want == 403) {
				t.Errorf(
					"%s %s with %s gets %d, want %d: %s", row.method, row.url, row.scope, res.StatusCode, want, body,
				)
			}
		}
	}
}
