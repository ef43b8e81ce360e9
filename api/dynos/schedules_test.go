package dynos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

const schedules = "/apps/hello/schedules"

// scheduleSeen is what tests read of a schedule.
type scheduleSeen struct {
	ID        string  `json:"id"`
	Name      *string `json:"name"`
	NextRunAt *string `json:"next_run_at"`
	LastRun   *struct {
		Status string `json:"status"`
	} `json:"last_run"`
}

// addSchedule adds a schedule to hello.
func addSchedule(t *testing.T, r *fixture, body string) scheduleSeen {
	t.Helper()
	res, answer := r.Ask("POST", schedules, body, nil)
	var seen scheduleSeen
	if err := json.Unmarshal([]byte(answer), &seen); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %d %s", body, res.StatusCode, answer)
	}
	return seen
}

func TestAScheduleIsMadeChangedAndRemoved(t *testing.T) {
	fixture := newFixture()
	made := addSchedule(
		t, fixture,
		`{"name":"nightly","cron":" 30 3 * * * ","command":"rake tidy","timezone":"Europe/Berlin",`+
			`"size":"Standard-2X","type":"worker","overlap":"allow"}`,
	)
	want := `{"app":{"id":"` + string(wiretest.Hello) +
		`","name":"hello"},"command":"rake tidy","created_at":"2026-01-03T03:04:05Z","cron":"30 3 * * *",` +
		`"enabled":true,` +
		`"id":"` + made.ID +
		`","last_run":null,"name":"nightly","next_run_at":"2026-01-04T02:30:00Z","overlap":"allow",` +
		`"size":"Standard-2X","timezone":"Europe/Berlin",` +
		`"type":"worker","updated_at":"2026-01-03T03:04:05Z"}`
	for _, identity := range []string{"nightly", made.ID, strings.ToUpper(made.ID)} {
		if res, body := fixture.Ask("GET", schedules+"/"+identity, "", nil); res.StatusCode != 200 ||
			strings.TrimSpace(body) != want {
			t.Errorf("%s: %d\n%s\nwant\n%s", identity, res.StatusCode, body, want)
		}
	}
	if _, body := fixture.Ask("GET", schedules, "", nil); strings.TrimSpace(body) != "["+want+"]" {
		t.Errorf("list: %s", body)
	}
	res, body := fixture.Ask(
		"PATCH", schedules+"/nightly",
		`{"name":null,"size":null,"type":null,"overlap":"skip","enabled":false,"timezone":"UTC"}`, nil,
	)
	if res.StatusCode != 200 || !strings.Contains(body, `"enabled":false`) ||
		!strings.Contains(
			body, `"name":null,"next_run_at":null,"overlap":"skip","size":null,"timezone":"UTC","type":null`,
		) {
		t.Errorf("changed: %d %s", res.StatusCode, body)
	}
	if _, body := fixture.Ask(
		"PATCH", schedules+"/"+made.ID, `{"enabled":true}`, nil,
	); !strings.Contains(body, `"next_run_at":"2026-01-03T03:30:00Z"`) {
		t.Errorf("enabled again: %s", body)
	}
	if res, body := fixture.Ask("DELETE", schedules+"/"+made.ID, "", nil); res.StatusCode != 200 ||
		!strings.Contains(body, made.ID) {
		t.Errorf("removed: %d %s", res.StatusCode, body)
	}
	if res, _ := fixture.Ask("GET", schedules+"/"+made.ID, "", nil); res.StatusCode != 404 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
	for _, action := range []string{"schedule added", "schedule changed", "schedule removed"} {
		if !strings.Contains(fixture.Logged.String(), `"action":"`+action+`"`) {
			t.Errorf("the audit log knows nothing of %q", action)
		}
	}
}

func TestBadSchedulesAreRefused(t *testing.T) {
	all := []scenario{
		{Name: "of another", URL: "/apps/other/schedules", Status: 403},
		{Name: "of nothing", URL: schedules + "/nothing", Status: 404, Has: []string{"schedule"}},
		{Name: "runs of nothing", URL: schedules + "/nothing/runs", Status: 404},
		{Name: "a run of nothing", Method: "POST", URL: schedules + "/nothing/actions/run", Status: 404},
	}
	for body, word := range map[string]string{
		`{}`:                                                 "Command must",
		`{"command":"  ","cron":"@daily"}`:                   "Command must",
		`{"command":"x"}`:                                    "Cron must",
		`{"command":"x","cron":"0 24 * * *"}`:                "above maximum (23)",
		`{"command":"x","cron":"TZ=UTC"}`:                    "Cron must",
		`{"command":"x","cron":"0 0 31 2 *"}`:                "never comes",
		`{"command":"x","cron":"@daily","timezone":"Moon"}`:  "Timezone must",
		`{"command":"x","cron":"@daily","size":"huge"}`:      "dyno size",
		`{"command":"x","cron":"@daily","size":3}`:           "a string, or null",
		`{"command":"x","cron":"@daily","name":"Oh no"}`:     "Name must",
		`{"command":"x","cron":"@daily","type":"run"}`:       "reserved",
		`{"command":"x","cron":"@daily","overlap":"always"}`: "Overlap must",
		`{"command":"x","cron":5}`:                           "cron",
	} {
		all = append(
			all, scenario{Name: body, Method: "POST", URL: schedules, Body: body, Status: 422, Has: []string{word}},
		)
	}
	run(t, all)
}

func TestRunsOfASchedule(t *testing.T) {
	fixture := newFixture()
	made := addSchedule(t, fixture, `{"name":"often","cron":"* * * * *","command":"x"}`)
	res, body := fixture.Ask("POST", schedules+"/often/actions/run", "", nil)
	var first struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(body), &first); err != nil || res.StatusCode != 201 ||
		!strings.Contains(
			body, `"dyno":null,"due_at":"2026-01-03T03:04:05Z","exit_code":null,"finished_at":null`,
		) || !strings.Contains(body, `"status":"starting"`) {
		t.Errorf("run: %d %s", res.StatusCode, body)
	}
	if res, body := fixture.Ask("POST", schedules+"/often/actions/run", "", nil); res.StatusCode != 422 ||
		!strings.Contains(body, "still going") {
		t.Errorf("again: %d %s", res.StatusCode, body)
	}
	err := fixture.DB.RunEnded(context.Background(), renga.Dyno{
		ID: first.ID, App: wiretest.Hello, Name: "scheduler.1234", Release: 3, Created: wiretest.Born,
		Since: wiretest.Born.Add(time.Minute), Exit: &renga.Exit{Code: 3}, Reason: "Process exited with status 3.",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"dyno":{"id":"` + first.ID +
		`","name":"scheduler.1234"},"due_at":"2026-01-03T03:04:05Z","exit_code":3,` +
		`"finished_at":"2026-01-02T03:05:05Z","id":"` + first.ID + `",` +
		`"reason":"Process exited with status 3.","release":{"id":"`
	_, body = fixture.Ask("GET", schedules+"/often/runs", "", nil)
	if !strings.HasPrefix(body, "["+want) ||
		!strings.Contains(body, `"version":3},"started_at":"2026-01-02T03:04:05Z","status":"failed"}]`) {
		t.Errorf("runs: %s, want %s", body, want)
	}
	if _, body := fixture.Ask("GET", schedules+"/"+made.ID, "", nil); !strings.Contains(body, `"last_run":`+want) {
		t.Errorf("last run: %s", body)
	}
}

func TestTheNewestRunsComeFirst(t *testing.T) {
	fixture := newFixture()
	addSchedule(t, fixture, `{"name":"often","cron":"* * * * *","command":"x","overlap":"allow"}`)
	var ids []string
	for range 3 {
		var run struct {
			ID string `json:"id"`
		}
		_, body := fixture.Ask("POST", schedules+"/often/actions/run", "", nil)
		if err := json.Unmarshal([]byte(body), &run); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	for ranged, want := range map[string]string{
		"":                         "2 1 0",
		"id ..; max=2, order=desc": "2 1",
		"id ..; order=asc":         "0 1 2",
		"id ]" + ids[0] + "..":     "1 2",
	} {
		var got []string
		var runs []struct {
			ID string `json:"id"`
		}
		_, body := fixture.Ask("GET", schedules+"/often/runs", "", map[string]string{"Range": ranged})
		if err := json.Unmarshal([]byte(body), &runs); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		for _, run := range runs {
			for n, id := range ids {
				if id == run.ID {
					got = append(got, fmt.Sprint(n))
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("range %q: %q, want %s", ranged, got, want)
		}
	}
}

// TestWhoRunsProgramsMayScheduleThem checks that nobody else may.
func TestWhoRunsProgramsMayScheduleThem(t *testing.T) {
	const body = `{"command":"x","cron":"@daily"}`
	for scope, want := range map[string]int{"write": 403, "write-protected": 201, "read": 403} {
		fixture := newFixture()
		res, answer := fixture.Ask("POST", schedules, body, map[string]string{"Authorization": "Bearer ada-token/" + scope})
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", scope, res.StatusCode, answer)
		}
	}
}
