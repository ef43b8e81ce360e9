package people_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestAccounts(t *testing.T) {
	run(t, []scenario{
		{Name: "own account", URL: "/account", Has: []string{`"email":"ada@example.com"`}},
		{Name: "own account as user", URL: "/users/~", Has: []string{`"email":"ada@example.com"`}},
		{Name: "own account by email", URL: "/users/ada@example.com", Has: []string{`"email":"ada@example.com"`}},
		{
			Name: "own account by id", URL: "/users/" + string(wiretest.Ada.ID),
			Has: []string{`"email":"ada@example.com"`},
		},
		{
			Name: "another's account, but for what is theirs to know", URL: "/users/bob@example.com",
			Has: []string{
				`"email":"bob@example.com"`, `"id":"` + string(wiretest.Bob.ID) + `"`, `"last_login":null`,
				`"name":null`,
			},
		},
		{
			Name: "nobody's account", URL: "/users/nobody@example.com", Status: 404,
			Has: []string{`{"resource":"user","id":"not_found","message":"Couldn't find that user."}`},
		},
		{
			Name: "rename", Method: "PATCH", URL: "/account", Body: `{"name":"Ada L."}`,
			Has:   []string{`"name":"Ada L."`, `"email":"ada@example.com"`},
			After: wiretest.AuditedOfAccount("account updated"),
		},
		{
			Name: "long name", Method: "PATCH", URL: "/account", Body: `{"name":"` + strings.Repeat("x", 201) + `"}`,
			Status: 422,
		},
		{Name: "update another", Method: "PATCH", URL: "/users/bob@example.com", Body: `{"name":"x"}`, Status: 404},
		{
			Name: "delete", Method: "DELETE", URL: "/account", Status: 403,
			Has: []string{"Revoke this one's authorizations instead"},
		},
		{Name: "delete another", Method: "DELETE", URL: "/users/bob@example.com", Status: 404},
		{Name: "features", URL: "/account/features", Has: []string{`[]`}},
		{Name: "feature of apps", URL: "/account/features/preboot", Status: 404, Has: []string{`"id":"not_found"`}},
		{Name: "preferences before any", URL: "/users/~/preferences", Has: []string{`"timezone":null`}},
		{
			Name: "preferences", Method: "PATCH", URL: "/users/~/preferences",
			Body:   `{"timezone":"Asia/Tokyo","dismissed-sms-banner":true,"unknown":1}`,
			Has:    []string{`"timezone":"Asia/Tokyo"`, `"dismissed-sms-banner":true`, `"default-organization":null`},
			HasNot: []string{"unknown"},
		},
		{
			Name: "preference of a wrong type", Method: "PATCH", URL: "/users/~/preferences", Body: `{"timezone":1}`,
			Status: 422, Has: []string{`Field \"timezone\" must be a string.`},
		},
		{Name: "preferences of another", URL: "/users/bob@example.com/preferences", Status: 404},
	})
}

func TestPreferencesAreKept(t *testing.T) {
	fixture := newFixture()
	fixture.Ask("PATCH", "/users/~/preferences", `{"timezone":"Asia/Tokyo","dismissed-sms-banner":true}`, nil)
	fixture.Ask("PATCH", "/users/~/preferences", `{"dismissed-sms-banner":null}`, nil)
	scenario{
		URL: "/users/~/preferences", Has: []string{`"timezone":"Asia/Tokyo"`, `"dismissed-sms-banner":null`},
	}.Play(t, fixture)
}
