package api_test

import "testing"

func TestNoAddOnIsFoundInHerokusWords(t *testing.T) {
	plan := `Couldn't find either the add-on service or the add-on plan of \"db:small\".`
	run(t, []scenario{
		{name: "create by string", method: "POST", url: "/apps/hello/addons", body: `{"plan":"db:small"}`, status: 422, has: []string{plan}},
		{name: "create by object", method: "POST", url: "/apps/hello/addons", body: `{"plan":{"name":"db:small"},"attachment":{},"config":{}}`, status: 422, has: []string{plan}},
		{name: "create without a plan", method: "POST", url: "/apps/hello/addons", body: `{}`, status: 422, has: []string{`\"plan\"`}},
		{name: "create with a number", method: "POST", url: "/apps/hello/addons", body: `{"plan":7}`, status: 422, has: []string{`\"plan\"`}},
		{name: "resolve", method: "POST", url: "/actions/addons/resolve", body: `{"addon":"db","app":null}`, status: 404, has: []string{`"resource":"add_on"`, `"id":"not_found"`}},
		{name: "resolve an attachment", method: "POST", url: "/actions/addon-attachments/resolve", body: `{"app":"hello","addon_attachment":"DATABASE_URL"}`, status: 404, has: []string{`"resource":"add_on attachment"`}},
		{name: "usage", url: "/apps/hello/usage", has: []string{`{"addons":[]}`}},
		{name: "of another's", url: "/users/bob@example.com/addons", status: 404},
	})
}

func TestBuildpacksAreKept(t *testing.T) {
	rig := newRig(nil)
	url := "/apps/hello/buildpack-installations"
	rig.ask("PUT", url, `{"updates":[{"buildpack":"heroku/go"},{"buildpack":"https://example.com/b.tgz"}]}`, header("Range", ""))
	want := `[{"buildpack":{"name":"heroku/go","url":"heroku/go"},"ordinal":0},{"buildpack":{"name":"https://example.com/b.tgz","url":"https://example.com/b.tgz"},"ordinal":1}]` + "\n"
	if got := answerOf(rig, url); got != want {
		t.Errorf("kept %s", got)
	}
	for _, bad := range []string{`{}`, `{"updates":[{}]}`, `{"updates":[{"buildpack":"a"},{"buildpack":"a"}]}`, `{"updates":"a"}`} {
		if res, body := rig.ask("PUT", url, bad, nil); res.StatusCode != 422 {
			t.Errorf("%s gets %d: %s", bad, res.StatusCode, body)
		}
	}
	if rig.ask("PUT", url, `{"updates":[]}`, nil); answerOf(rig, url) != "[]\n" {
		t.Errorf("cleared, and kept %s", answerOf(rig, url))
	}
}

func TestTeamsAppsAreApps(t *testing.T) {
	run(t, []scenario{
		{name: "create for a team", method: "POST", url: "/teams/apps", body: `{"name":"fresh","team":"crew"}`, status: 404, has: []string{`"resource":"team"`}},
		{name: "lock", method: "PATCH", url: "/teams/apps/hello", body: `{"locked":true}`, status: 422, has: []string{"no teams"}},
		{name: "info", url: "/teams/apps/hello", has: []string{`"locked":false`, `"joined":true`}},
		{name: "a team's apps", url: "/teams/crew/apps", status: 404, has: []string{`"resource":"team"`, "Couldn't find that team."}},
		{name: "a space", url: "/spaces/private", status: 404, has: []string{`"resource":"space"`, "Couldn't find that space."}},
	})
}
