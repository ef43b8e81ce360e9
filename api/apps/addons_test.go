package apps_test

import (
	"testing"

	"renga/api/wire/wiretest"
)

func TestNoAddOnIsFoundInHerokusWords(t *testing.T) {
	plan := `Couldn't find either the add-on service or the add-on plan of \"db:small\".`
	run(t, []scenario{
		{
			Name: "create by string", Method: "POST", URL: "/apps/hello/addons", Body: `{"plan":"db:small"}`,
			Status: 422, Has: []string{plan},
		},
		{
			Name: "create by object", Method: "POST", URL: "/apps/hello/addons",
			Body: `{"plan":{"name":"db:small"},"attachment":{},"config":{}}`, Status: 422, Has: []string{plan},
		},
		{
			Name: "create without a plan", Method: "POST", URL: "/apps/hello/addons", Body: `{}`, Status: 422,
			Has: []string{`\"plan\"`},
		},
		{
			Name: "create with a number", Method: "POST", URL: "/apps/hello/addons", Body: `{"plan":7}`, Status: 422,
			Has: []string{`\"plan\"`},
		},
		{
			Name: "resolve", Method: "POST", URL: "/actions/addons/resolve", Body: `{"addon":"db","app":null}`,
			Status: 404, Has: []string{`"resource":"add_on"`, `"id":"not_found"`},
		},
		{
			Name: "resolve an attachment", Method: "POST", URL: "/actions/addon-attachments/resolve",
			Body: `{"app":"hello","addon_attachment":"DATABASE_URL"}`, Status: 404,
			Has: []string{`"resource":"add_on attachment"`},
		},
		{Name: "usage", URL: "/apps/hello/usage", Has: []string{`{"addons":[]}`}},
		{Name: "of another's", URL: "/users/bob@example.com/addons", Status: 404},
	})
}

func TestBuildpacksAreKept(t *testing.T) {
	fixture := newFixture()
	url := "/apps/hello/buildpack-installations"
	fixture.Ask(
		"PUT", url, `{"updates":[{"buildpack":"heroku/go"},{"buildpack":"https://example.com/b.tgz"}]}`,
		wiretest.Header("Range", ""),
	)
	want := `[{"buildpack":{"name":"heroku/go","url":"heroku/go"},"ordinal":0},` +
		`{"buildpack":{"name":"https://example.com/b.tgz","url":"https://example.com/b.tgz"},"ordinal":1}]` + "\n"
	if got := answerOf(fixture, url); got != want {
		t.Errorf("kept %s", got)
	}
	for _, bad := range []string{
		`{}`, `{"updates":[{}]}`, `{"updates":[{"buildpack":"a"},{"buildpack":"a"}]}`, `{"updates":"a"}`,
	} {
		if res, body := fixture.Ask("PUT", url, bad, nil); res.StatusCode != 422 {
			t.Errorf("%s gets %d: %s", bad, res.StatusCode, body)
		}
	}
	if fixture.Ask("PUT", url, `{"updates":[]}`, nil); answerOf(fixture, url) != "[]\n" {
		t.Errorf("cleared, and kept %s", answerOf(fixture, url))
	}
}

func TestTeamsAppsAreApps(t *testing.T) {
	run(t, []scenario{
		{
			Name: "create for a team", Method: "POST", URL: "/teams/apps", Body: `{"name":"fresh","team":"crew"}`,
			Status: 404, Has: []string{`"resource":"team"`},
		},
		{
			Name: "lock", Method: "PATCH", URL: "/teams/apps/hello", Body: `{"locked":true}`, Status: 422,
			Has: []string{"no teams"},
		},
		{Name: "info", URL: "/teams/apps/hello", Has: []string{`"locked":false`, `"joined":true`}},
		{
			Name: "a team's apps", URL: "/teams/crew/apps", Status: 404,
			Has: []string{`"resource":"team"`, "Couldn't find that team."},
		},
		{
			Name: "a space", URL: "/spaces/private", Status: 404,
			Has: []string{`"resource":"space"`, "Couldn't find that space."},
		},
	})
}
