package api_test

import (
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

// Config vars of add-ons are seen with all others, and nobody sets them by hand.
func TestConfigVarsOfAddOnsAreReadAndNotSet(t *testing.T) {
	const url = "/apps/hello/config-vars"
	play(t, []scenario{
		{
			Name: "read", URL: url,
			Has: []string{`"DATABASE_URL":"` + wiretest.DatabaseURL + `"`, `"COLOR":"blue"`},
		},
		{
			Name: "set", Method: "PATCH", URL: url, Body: `{"DATABASE_URL":"postgres://mine","COLOR":"red"}`, Status: 422,
			Has: []string{"Cannot overwrite attachment values DATABASE_URL"}, HasNot: []string{wiretest.Marker, "mine"},
		},
		{
			Name: "removed", Method: "PATCH", URL: url, Body: `{"DATABASE_URL":null}`, Status: 422,
			Has: []string{"Cannot overwrite attachment values DATABASE_URL"},
		},
		{
			Name: "others set", Method: "PATCH", URL: url, Body: `{"COLOR":"red"}`,
			Has: []string{`"DATABASE_URL":"` + wiretest.DatabaseURL + `"`, `"COLOR":"red"`},
		},
	})
}

func TestValuesOfConfigVarsStayOutOfLogsAndErrors(t *testing.T) {
	fixture := newFixture(nil)
	good := `{"GOOD":"` + wiretest.Marker + `"}`
	if res, body := fixture.Ask("PATCH", "/apps/hello/config-vars", good, nil); res.StatusCode != 200 ||
		!strings.Contains(body, wiretest.Marker) {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	for _, body := range []string{
		`{"HEROKU_A":"` + wiretest.Marker + `"}`, `{"A":["` + wiretest.Marker + `"]}`,
		`{"A":{"b":"` + wiretest.Marker + `"}}`, `["` + wiretest.Marker + `"]`,
		`"` + wiretest.Marker + `"`, `{"A":"` + wiretest.Marker + `"`, `{"A":"` + wiretest.Marker + "\x00" + `"}`,
		`{"A":"` + wiretest.Marker + `\u0000"}`,
		`{"A":"` + wiretest.Marker + strings.Repeat("x", 70<<10) + `"}`,
		`{"A":"` + wiretest.Marker + strings.Repeat("x", 2<<20) + `"}`,
		wiretest.Marker, "{\"A\":\"" + wiretest.Marker + "\xff\"}",
	} {
		res, answer := fixture.Ask("PATCH", "/apps/hello/config-vars", body, nil)
		if res.StatusCode < 400 || strings.Contains(answer, wiretest.Marker) {
			t.Errorf("%.60q gets %d: %s", body, res.StatusCode, answer)
		}
	}
	for _, url := range []string{
		"/apps/hello", "/apps", "/apps/hello/releases", "/apps/hello/releases/4", "/apps/hello/releases/4/diff",
		"/apps/hello/formation", "/apps/hello/dynos",
	} {
		if _, answer := fixture.Ask("GET", url, "", nil); strings.Contains(answer, wiretest.Marker) {
			t.Errorf("%s shows a value: %s", url, answer)
		}
	}
	if strings.Contains(fixture.Logged.String(), wiretest.Marker) {
		t.Errorf("the log holds a value: %s", fixture.Logged)
	}
	if !strings.Contains(fixture.Logged.String(), `"vars":["GOOD"]`) {
		t.Errorf("the log lacks the name of what was set: %s", fixture.Logged)
	}
}

func FuzzConfigVarBodies(f *testing.F) {
	for _, seed := range []string{
		`{"A":"b"}`, `{"A":null}`, `{"A":1}`, `[]`, ``, `null`, `{"A":"\ud800"}`, `{"":""}`, `{"A":"b","A":"c"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fixture := newFixture(nil)
		for _, url := range []string{
			"/apps/hello/config-vars", "/apps/hello/formation", "/apps/hello/formation/web", "/apps/hello",
		} {
			if res, answer := fixture.Ask("PATCH", url, body, nil); res.StatusCode >= 500 {
				t.Errorf("PATCH %s with %q gets %d: %s", url, body, res.StatusCode, answer)
			}
		}
		for _, url := range []string{"/apps", "/apps/hello/releases"} {
			if res, answer := fixture.Ask("POST", url, body, nil); res.StatusCode >= 500 {
				t.Errorf("POST %s with %q gets %d: %s", url, body, res.StatusCode, answer)
			}
		}
	})
}
