package apps_test

import (
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

func TestAHealthCheckIsSetAndTakenAway(t *testing.T) {
	fixture := newFixture()
	const url = "/apps/hello/health-check"
	if _, body := fixture.Ask("GET", url, "", nil); !strings.Contains(
		body, `"interval":10,"path":null,"threshold":3,"timeout":5`,
	) {
		t.Errorf("before: %s", body)
	}
	res, body := fixture.Ask("PATCH", url, `{"path":"/health?deep=1","interval":30}`, nil)
	if res.StatusCode != 200 ||
		!strings.Contains(body, `"interval":30,"path":"/health?deep=1","threshold":3,"timeout":5`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	want := renga.HealthCheck{
		Path: "/health?deep=1", Interval: 30 * time.Second, Timeout: 5 * time.Second, Threshold: 3,
	}
	if got := fixture.App(t, wiretest.Hello).HealthCheck; got != want {
		t.Errorf("stored: %+v", got)
	}
	if len(fixture.Reconciled) != 1 || !strings.Contains(fixture.Logged.String(), `"action":"health check set"`) {
		t.Errorf("reconciled %v, log %s", fixture.Reconciled, fixture.Logged)
	}
	if _, body := fixture.Ask("PATCH", url, `{"threshold":1}`, nil); !strings.Contains(
		body, `"interval":30,"path":"/health?deep=1","threshold":1`,
	) {
		t.Errorf("changed: %s", body)
	}
	if res, body := fixture.Ask("DELETE", url, "", nil); res.StatusCode != 200 ||
		!strings.Contains(body, `"path":"/health?deep=1"`) {
		t.Errorf("taken away: %d %s", res.StatusCode, body)
	}
	if fixture.App(t, wiretest.Hello).HealthCheck.On() {
		t.Error("the check is still there")
	}
}

func TestBadHealthChecksAreRefused(t *testing.T) {
	var all []scenario
	for body, word := range map[string]string{
		`{}`: "Path", `{"path":"health"}`: "Path", `{"path":"//elsewhere/"}`: "Path", `{"path":"/a b"}`: "Path",
		`{"path":3}`:                "path",
		`{"path":"/","interval":0}`: "Interval", `{"path":"/","timeout":61}`: "Timeout",
		`{"path":"/","threshold":0}`: "Threshold",
	} {
		all = append(
			all,
			scenario{
				Name: body, Method: "PATCH", URL: "/apps/hello/health-check", Body: body, Status: 422,
				Has: []string{word},
			},
		)
	}
	run(t, all)
}
