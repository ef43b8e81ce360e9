package dynos_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

func TestOneOffDynos(t *testing.T) {
	post := func(name, body string, status int, has ...string) scenario {
		return scenario{Name: name, Method: "POST", URL: "/apps/hello/dynos", Body: body, Status: status, Has: has}
	}
	run(t, []scenario{
		post(
			"detached", `{"command":"rake db:seed"}`, 201, `"name":"run.1234"`, `"type":"run"`,
			`"command":"rake db:seed"`, `"attach_url":null`, `"websocket_url":null`, `"state":"starting"`,
		),
		post(
			"attached", `{"command":"bash","attach":true}`, 201,
			`"attach_url":"rendezvous://api.renga.localhost:5443/s3cr3t"`,
			`"websocket_url":"ws://api.renga.localhost:5000/attach/s3cr3t"`,
		),
		post("no command", `{"attach":true}`, 422, `Field \"command\"`),
		post(
			"only the exit suffix", `{"command":" ; echo \"\uffff heroku-command-exit-status: $?\""}`, 422,
			`Field \"command\"`,
		),
		post("another size that is none", `{"command":"x","dyno_size":{"name":"huge"}}`, 422, `The sizes are`),
		post("a size that is none", `{"command":"x","size":"huge"}`, 422, `The sizes are`),
		post("too long a time", `{"command":"x","time_to_live":86401}`, 422, `from 1 to 86400`),
		post("no time", `{"command":"x","time_to_live":0}`, 422, `from 1 to 86400`),
		post("a variable of ours", `{"command":"x","env":{"DYNO":"web.1"}}`, 422, `reserved`),
		post("a variable that is none", `{"command":"x","env":{"A":[1]}}`, 422, `Field \"env\"`),
		post("a type that is none", `{"command":"x","type":"clock"}`, 422, `There is no clock.`),
		{Name: "of another", Method: "POST", URL: "/apps/other/dynos", Body: `{"command":"x"}`, Status: 403},
		{
			Name: "stop", Method: "POST", URL: "/apps/hello/dynos/web.1/actions/stop", Status: 202,
			After: stopped("web.1"),
		},
		{
			Name: "stop a type", Method: "POST", URL: "/apps/hello/formations/web/actions/stop", Status: 202,
			After: stopped("web"),
		},
		{
			Name: "a client of its own", URL: "/attach/s3cr3t", Headers: wiretest.Header("Authorization", ""),
			Has: []string{"attached at /attach/s3cr3t"},
		},
	})
}

func stopped(key string) func(*testing.T, *fixture, *http.Response) {
	return func(t *testing.T, r *fixture, _ *http.Response) {
		if strings.Join(r.Restarts(t), " ") != key || len(r.Reconciled) != 1 {
			t.Errorf("stopped %q", r.Restarts(t))
		}
	}
}

func TestRequestsForOneOffDynosAreRead(t *testing.T) {
	for body, want := range map[string]renga.OneOff{
		// The CLI sends these, with and without a terminal.
		`{"attach":true,"command":"bash","env":{"TERM":"xterm","COLUMNS":100,"LINES":30},` +
			`"dyno_size":{"name":"standard-1x"},"type":"worker"}`: {
			Command: "bash", Type: "worker", Size: "standard-1x", Attach: true, Env: renga.Vars{
				"TERM": "xterm", "COLUMNS": "100", "LINES": "30",
			},
			Terminal: &renga.Window{Columns: 100, Rows: 30},
		},
		`{"attach":true,"command":"bash","env":{"COLUMNS":100,"LINES":30},"force_no_tty":true}`: {
			Command: "bash", Attach: true, Env: renga.Vars{"COLUMNS": "100", "LINES": "30"},
		},
		`{"attach":true,"command":"exit 3 ; echo \"\uffff heroku-command-exit-status: $?\"","env":{"TERM":null}}`: {
			Command: "exit 3", Attach: true, MarkExit: true, Env: renga.Vars{},
		},
		`{"attach":false,"command":"x","env":{"COLUMNS":100},"time_to_live":60}`: {
			Command: "x", Env: renga.Vars{"COLUMNS": "100"}, Lasts: time.Minute,
		},
	} {
		fixture := newFixture()
		if res, answer := fixture.Ask("POST", "/apps/hello/dynos", body, nil); res.StatusCode != 201 {
			t.Fatalf("%s: %s", body, answer)
		}
		got := fakeOf(fixture).ran[0]
		if got.Env == nil {
			got.Env = renga.Vars{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s asks for %+v", body, got)
		}
	}
}
