package apps_test

import (
	"testing"

	"renga/api/wire/wiretest"
)

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
