package apps_test

import (
	"strings"
	"testing"
	"time"

	"renga/api/wire/wiretest"
)

func TestAnAppIsSetToSleep(t *testing.T) {
	fixture := newFixture()
	const url = "/apps/hello/sleep"
	wants := func(method, body string, parts ...string) {
		t.Helper()
		res, got := fixture.Ask(method, url, body, nil)
		for _, part := range parts {
			if res.StatusCode != 200 || !strings.Contains(got, part) {
				t.Errorf("%s %s: %d %s, want %s", method, body, res.StatusCode, got, part)
			}
		}
	}
	wants("GET", "", `"after":null`, `"asleep":false`, `"last_request_at":null`, `"since":null`)
	wants("PATCH", `{"after":1800}`, `"after":1800`, `"asleep":false`)
	if got := fixture.App(t, wiretest.Hello).SleepAfter; got != 30*time.Minute {
		t.Errorf("stored: %v", got)
	}
	if len(fixture.Reconciled) != 1 || !strings.Contains(fixture.Logged.String(), `"action":"sleep set"`) {
		t.Errorf("reconciled %v, log %s", fixture.Reconciled, fixture.Logged)
	}
	fakeOf(fixture).requested = wiretest.Born.Add(time.Hour)
	if err := fixture.DB.SetAsleep(t.Context(), wiretest.Hello, wiretest.Born.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	wants("GET", "", `"asleep":true`, `"last_request_at":"2026-01-02T04:04:05Z"`, `"since":"2026-01-02T05:04:05Z"`)
	wants("PATCH", `{}`, `"after":1800`, `"asleep":true`)
	wants("PATCH", `{"after":null}`, `"after":null`, `"asleep":false`, `"since":null`)
	wants("PATCH", `{"after":1}`, `"after":1`)
	wants("PATCH", `{"after":0}`, `"after":null`)
}

func TestBadTimesUntilAnAppSleepsAreRefused(t *testing.T) {
	var all []scenario
	for body, word := range map[string]string{
		`{"after":-1}`: "1 to 2592000 seconds", `{"after":2592001}`: "1 to 2592000 seconds",
		`{"after":1.5}`: "whole number", `{"after":"1h"}`: "whole number",
		`{"after":9999999999999999999}`: "whole number",
	} {
		all = append(
			all,
			scenario{
				Name: body, Method: "PATCH", URL: "/apps/hello/sleep", Body: body, Status: 422, Has: []string{word},
			},
		)
	}
	run(t, all)
}
