package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

func TestConfigVars(t *testing.T) {
	patch := func(name, body string, status int, has ...string) scenario {
		return scenario{Name: name, Method: "PATCH", URL: "/apps/hello/config-vars", Body: body, Status: status, Has: has}
	}
	run(t, []scenario{
		{Name: "read", URL: "/apps/hello/config-vars", Has: []string{`{"COLOR":"blue","SECRET":"` + wiretest.Marker + `"}`}},
		{Name: "of another", URL: "/apps/other/config-vars", Status: 403},
		patch("set and unset", `{"COLOR":null,"SIZE":"<big> & \"wide\""}`, 200, `{"SECRET":"`+wiretest.Marker+`","SIZE":"<big> & \"wide\""}`),
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
		rig := newRig(nil)
		res, body := rig.Ask("PATCH", "/apps/hello/config-vars", `{"OK":"x","ODD":`+value+`}`, nil)
		want := `{"id":"invalid_params","message":"Config var \"ODD\" must be a string, or null to remove it."}`
		if res.StatusCode != 422 || strings.TrimSpace(body) != want {
			t.Errorf("%s gets %d: %s", value, res.StatusCode, body)
		}
		if n := len(rig.World.History[wiretest.Hello]); n != 4 {
			t.Errorf("%s made a release", value)
		}
	}
}

func TestNoChangeOfConfigVarsAsksForNoRelease(t *testing.T) {
	for _, body := range []string{"", "{}", "null"} {
		rig := newRig(nil)
		res, answer := rig.Ask("PATCH", "/apps/hello/config-vars", body, nil)
		if res.StatusCode != http.StatusOK || !strings.Contains(answer, "COLOR") || len(rig.World.History[wiretest.Hello]) != 4 {
			t.Errorf("%q gets %d: %s", body, res.StatusCode, answer)
		}
	}
}

func TestValuesOfConfigVarsStayOutOfLogsAndErrors(t *testing.T) {
	rig := newRig(nil)
	good := `{"GOOD":"` + wiretest.Marker + `"}`
	if res, body := rig.Ask("PATCH", "/apps/hello/config-vars", good, nil); res.StatusCode != 200 || !strings.Contains(body, wiretest.Marker) {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	for _, body := range []string{
		`{"HEROKU_A":"` + wiretest.Marker + `"}`, `{"A":["` + wiretest.Marker + `"]}`, `{"A":{"b":"` + wiretest.Marker + `"}}`, `["` + wiretest.Marker + `"]`,
		`"` + wiretest.Marker + `"`, `{"A":"` + wiretest.Marker + `"`, `{"A":"` + wiretest.Marker + "\x00" + `"}`, `{"A":"` + wiretest.Marker + `\u0000"}`,
		`{"A":"` + wiretest.Marker + strings.Repeat("x", 70<<10) + `"}`, `{"A":"` + wiretest.Marker + strings.Repeat("x", 2<<20) + `"}`,
		wiretest.Marker, "{\"A\":\"" + wiretest.Marker + "\xff\"}",
	} {
		res, answer := rig.Ask("PATCH", "/apps/hello/config-vars", body, nil)
		if res.StatusCode < 400 || strings.Contains(answer, wiretest.Marker) {
			t.Errorf("%.60q gets %d: %s", body, res.StatusCode, answer)
		}
	}
	for _, url := range []string{"/apps/hello", "/apps", "/apps/hello/releases", "/apps/hello/releases/4", "/apps/hello/releases/4/diff", "/apps/hello/formation", "/apps/hello/dynos"} {
		if _, answer := rig.Ask("GET", url, "", nil); strings.Contains(answer, wiretest.Marker) {
			t.Errorf("%s shows a value: %s", url, answer)
		}
	}
	if strings.Contains(rig.Logged.String(), wiretest.Marker) {
		t.Errorf("the log holds a value: %s", rig.Logged)
	}
	if !strings.Contains(rig.Logged.String(), `"vars":["GOOD"]`) {
		t.Errorf("the log lacks the name of what was set: %s", rig.Logged)
	}
}

func FuzzConfigVarBodies(f *testing.F) {
	for _, seed := range []string{`{"A":"b"}`, `{"A":null}`, `{"A":1}`, `[]`, ``, `null`, `{"A":"\ud800"}`, `{"":""}`, `{"A":"b","A":"c"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		rig := newRig(nil)
		for _, url := range []string{"/apps/hello/config-vars", "/apps/hello/formation", "/apps/hello/formation/web", "/apps/hello"} {
			if res, answer := rig.Ask("PATCH", url, body, nil); res.StatusCode >= 500 {
				t.Errorf("PATCH %s with %q gets %d: %s", url, body, res.StatusCode, answer)
			}
		}
		for _, url := range []string{"/apps", "/apps/hello/releases"} {
			if res, answer := rig.Ask("POST", url, body, nil); res.StatusCode >= 500 {
				t.Errorf("POST %s with %q gets %d: %s", url, body, res.StatusCode, answer)
			}
		}
	})
}
