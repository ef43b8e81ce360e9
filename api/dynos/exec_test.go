package dynos_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// asUserOf is Basic authentication as Heroku's CLI sends it for ps:exec.
func asUserOf(app string) map[string]string {
	return wiretest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(app+":"+"ada-token")))
}

func TestPeopleEnterDynosBySSH(t *testing.T) {
	fixture := newFixture()
	const body = `{"client_key":"ssh-rsa AAAA"}`
	for _, c := range []struct {
		name, method, url, app, body string
		status                       int
		has                          string
	}{
		{"those that can be", "GET", "/api/v2", "hello", "", 200, `[{"dyno_name":"web.2"},{"dyno_name":"web.1"}]`},
		{
			"one", "PUT", "/api/v2/web.1", "hello", body, 200,
			`{"tunnel_host":"api.renga.localhost","client_user":"client of web.1 with ssh-rsa AAAA",` +
				`"proxy_public_key":"ssh-ed25519 BBBB","dyno_ip":""}`,
		},
		{"one that is not there", "PUT", "/api/v2/web.9", "hello", body, 404, "Couldn't find that dyno"},
		{"one of another's app", "PUT", "/api/v2/web.1", "other", body, 403, ""},
		{"one of no app", "PUT", "/api/v2/web.1", "absent", body, 404, ""},
	} {
		res, got := fixture.Ask(c.method, c.url, c.body, asUserOf(c.app))
		if res.StatusCode != c.status || !strings.Contains(got, c.has) {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, got)
		}
	}
	if said := strings.Join(fixture.Noted, "\n"); said != "Session in web.1 opened by "+string(wiretest.Ada.ID) {
		t.Errorf("the app's log says %q", said)
	}
	if err := fakeOf(fixture).still(t.Context()); err != nil {
		t.Errorf("when it comes again: %v", err)
	}
	fixture.Broken = renga.Errorf(renga.Unauthorized, "The token was revoked.")
	if err := fakeOf(fixture).still(t.Context()); renga.KindOf(err) != renga.Unauthorized {
		t.Errorf("when its token is good no more: %v", err)
	}
	fixture.Broken = nil
	fixture.SwitchOff(t, renga.Exec)
	if res, got := fixture.Ask("PUT", "/api/v2/web.1", body, asUserOf("hello")); res.StatusCode != 403 ||
		!strings.Contains(got, renga.Exec) {
		t.Errorf("with the feature off: %d %s", res.StatusCode, got)
	}
	if err := fakeOf(fixture).still(t.Context()); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("when it comes again then: %v", err)
	}
}

func TestCommandsInRunningDynosOverWebSocket(t *testing.T) {
	post := func(name, dyno, body string, status int, has ...string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/dynos/" + dyno + "/exec", Body: body, Status: status,
			Has: has,
		}
	}
	run(t, []scenario{
		post(
			"a command", "web.1", `{"command":"rake"}`, 201,
			`{"command":"rake","dyno":{"name":"web.1"},`+
				`"websocket_url":"ws://api.renga.localhost:5000/attach/web.1-rake"}`,
		),
		post(
			"with a terminal", "web.1", `{"command":"top","terminal":{"columns":132,"rows":43}}`, 201,
			`/attach/web.1-top-132x43"`,
		),
		post("a shell", "web.1", `{"terminal":{}}`, 201, `/attach/web.1--80x24"`),
		post("too much", "web.1", `{"command":"`+strings.Repeat("x", 33<<10)+`"}`, 422, `Field \"command\"`),
		post("a terminal that is none", "web.1", `{"terminal":{"columns":-1}}`, 422),
		post("in one that is not there", "web.9", `{"command":"rake"}`, 404, "Couldn't find that dyno"),
		{Name: "of another", Method: "POST", URL: "/apps/other/dynos/web.1/exec", Body: `{"command":"x"}`, Status: 403},
	})
	fixture := newFixture()
	fixture.SwitchOff(t, renga.Exec)
	if res, got := fixture.Ask("POST", "/apps/hello/dynos/web.1/exec", `{"command":"x"}`, nil); res.StatusCode != 403 ||
		!strings.Contains(got, renga.Exec) {
		t.Errorf("with the feature off: %d %s", res.StatusCode, got)
	}
}
