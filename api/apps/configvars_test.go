package apps_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestConfigVars(t *testing.T) {
	patch := func(name, body string, status int, has ...string) scenario {
		return scenario{
			Name: name, Method: "PATCH", URL: "/apps/hello/config-vars", Body: body, Status: status, Has: has,
		}
	}
	run(t, []scenario{
		{
			Name: "read", URL: "/apps/hello/config-vars",
			Has: []string{`{"COLOR":"blue","SECRET":"` + wiretest.Marker + `"}`},
		},
		{Name: "of another", URL: "/apps/other/config-vars", Status: 403},
		patch(
			"set and unset", `{"COLOR":null,"SIZE":"<big> & \"wide\""}`, 200,
			`{"SECRET":"`+wiretest.Marker+`","SIZE":"<big> & \"wide\""}`,
		),
		patch("set to nothing", `{"COLOR":""}`, 200, `"COLOR":""`),
		patch("bad name", `{"9LIVES":"x"}`, 422, `"id":"invalid_params"`, `9LIVES`),
		patch("platform's name", `{"HEROKU_X":"x"}`, 422, `HEROKU_X`),
		patch("list", `["A"]`, 422, `The request body must be a JSON object.`),
		patch("no JSON", `{"A":`, 400, `{"id":"bad_request","message":"The request body is not valid JSON."}`),
		patch("two documents", `{"A":"b"}{"C":"d"}`, 400),
		patch("no UTF-8", "{\"A\":\"\xff\"}", 400, `not valid UTF-8`),
	})
}

func TestConfigVarsMustBeStrings(t *testing.T) {
	for _, value := range []string{"7", "7.5", "true", `["x"]`, `{"a":"b"}`} {
		fixture := newFixture()
		res, body := fixture.Ask("PATCH", "/apps/hello/config-vars", `{"OK":"x","ODD":`+value+`}`, nil)
		want := `{"id":"invalid_params","message":"Config var \"ODD\" must be a string, or null to remove it."}`
		if res.StatusCode != 422 || strings.TrimSpace(body) != want {
			t.Errorf("%s gets %d: %s", value, res.StatusCode, body)
		}
		if n := fixture.Versions(t, wiretest.Hello); n != 4 {
			t.Errorf("%s made a release", value)
		}
	}
}

func TestNoChangeOfConfigVarsAsksForNoRelease(t *testing.T) {
	for _, body := range []string{"", "{}", "null"} {
		fixture := newFixture()
		res, answer := fixture.Ask("PATCH", "/apps/hello/config-vars", body, nil)
		if res.StatusCode != http.StatusOK || !strings.Contains(answer, "COLOR") ||
			fixture.Versions(t, wiretest.Hello) != 4 {
			t.Errorf("%q gets %d: %s", body, res.StatusCode, answer)
		}
	}
}

// What only the caller has is read with the app's config vars, and never in their place.
func TestConfigVarsOfTheCallersOwn(t *testing.T) {
	serve := func(changes ...func(*wiretest.Seed)) *fixture {
		f := newFixture(changes...)
		f.Fakes[0].(*fake).own = renga.Vars{"DATABASE_BASTION_KEY": "theirs", "COLOR": "theirs"}
		return f
	}
	wiretest.Run(t, serve, []scenario{
		{Name: "read", URL: "/apps/hello/config-vars", Has: []string{`"DATABASE_BASTION_KEY":"theirs"`, `"COLOR":"blue"`}},
		{
			Name: "set", Method: "PATCH", URL: "/apps/hello/config-vars", Body: `{"SIZE":"big"}`,
			Has: []string{`"SIZE":"big"`}, HasNot: []string{"theirs"},
		},
		{Name: "of another", URL: "/apps/other/config-vars", Status: 403, HasNot: []string{"theirs"}},
	})
}
