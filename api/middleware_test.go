package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renga"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestCredentials(t *testing.T) {
	refused := []string{`{"id":"unauthorized","message":"Invalid credentials provided."}`}
	with := func(authorization, own string) map[string]string {
		return map[string]string{"Authorization": authorization, "X-Renga-Token": own}
	}
	run(t, []scenario{
		{name: "bearer", url: "/account", headers: with("Bearer ada-token", "")},
		{name: "bearer in lower case", url: "/account", headers: with("bearer ada-token", "")},
		{name: "basic with any user", url: "/account", headers: with(basic("whoever", "ada-token"), "")},
		{name: "basic without user", url: "/account", headers: with(basic("", "ada-token"), "")},
		{name: "own header", url: "/account", headers: with("", "ada-token")},
		{name: "own header beside a useless one", url: "/account", headers: with(basic("", "undefined"), "ada-token")},
		{name: "own header beside an account that is named", url: "/account", headers: with(basic("bob@example.com", "nope"), "ada-token"), status: 401, has: refused},
		{name: "the first good one counts", url: "/account", headers: with("Bearer bob-token", "ada-token"), has: []string{"bob@"}},
		{name: "none", url: "/account", headers: with("", ""), status: 401, has: refused, after: challenged},
		{name: "wrong", url: "/account", headers: with("Bearer nope", ""), status: 401, has: refused},
		{name: "empty bearer", url: "/account", headers: with("Bearer ", ""), status: 401, has: refused},
		{name: "token as user", url: "/account", headers: with(basic("ada-token", ""), ""), status: 401, has: refused},
		{name: "bare token", url: "/account", headers: with("ada-token", ""), status: 401, has: refused},
		{name: "none, for an unknown path", url: "/nowhere", headers: with("", ""), status: 401, has: refused},
	})
}

func challenged(t *testing.T, _ *rig, res *http.Response) {
	if !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("no challenge: %v", res.Header)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	missing := []string{`"id":"not_found","message":"The requested API endpoint was not found.`}
	allows := func(want string) func(*testing.T, *rig, *http.Response) {
		return func(t *testing.T, _ *rig, res *http.Response) {
			if got := res.Header.Get("Allow"); got != want {
				t.Errorf("Allow is %q, want %q", got, want)
			}
		}
	}
	run(t, []scenario{
		{name: "unknown path", url: "/nowhere", status: 404, has: missing},
		{name: "root", url: "/", status: 404, has: missing},
		{name: "double slash is not redirected", method: "POST", url: "//apps", status: 404, has: missing},
		{name: "dots are not redirected", url: "/apps/../account", status: 404, has: missing},
		{name: "slash at the end", url: "/apps/", status: 404, has: missing},
		{name: "wrong method", method: "PUT", url: "/apps/hello", status: 404, has: missing, after: allows("GET, HEAD, PATCH, DELETE")},
		{name: "head", method: "HEAD", url: "/apps/hello"},
		{name: "any accepted version", url: "/apps/hello", headers: header("Accept", "application/vnd.heroku+json; version=3.docker-releases")},
		{name: "no accepted version", url: "/apps/hello", headers: header("Accept", "")},
	})
}

func TestErrorsHaveHerokusForm(t *testing.T) {
	for _, want := range []struct {
		err    error
		status int
		body   string
	}{
		{renga.Errorf(renga.Unavailable, "Redis is away."), 503, `{"id":"service_unavailable","message":"Redis is away."}`},
		{renga.Errorf(renga.NoSpace, "The disk is full."), 507, `{"id":"insufficient_storage","message":"The disk is full."}`},
		{renga.Errorf(renga.Conflict, "It is taken."), 422, `{"id":"invalid_params","message":"It is taken."}`},
		{renga.Errorf(renga.Invalid, "No."), 422, `{"id":"invalid_params","message":"No."}`},
		{renga.Errorf(renga.Forbidden, "Not yours."), 403, `{"id":"forbidden","message":"Not yours."}`},
		{renga.Errorf(renga.NotFound, "Not there."), 404, `{"id":"not_found","message":"Not there."}`},
		{renga.Errorf(renga.Internal, "secret cause"), 500, `{"id":"internal_server_error","message":"Internal server error."}`},
		{errors.New("secret cause"), 500, `{"id":"internal_server_error","message":"Internal server error."}`},
		{fmt.Errorf("read: %w", renga.Errorf(renga.Unavailable, "Redis is away.")), 503, `{"id":"service_unavailable","message":"Redis is away."}`},
	} {
		rig := newRig(nil)
		rig.world.broken = want.err
		res, body := rig.ask("GET", "/account", "", nil)
		if res.StatusCode != want.status || strings.TrimSpace(body) != want.body {
			t.Errorf("%v gets %d: %s", want.err, res.StatusCode, body)
		}
		if logged := strings.Contains(rig.log.String(), want.err.Error()); logged != (want.status >= 500) {
			t.Errorf("%v: logged is %v", want.err, logged)
		}
	}
}

func TestClientsThatLeaveAreNoFault(t *testing.T) {
	rig := newRig(nil)
	rig.world.broken = fmt.Errorf("read token: %w", context.Canceled)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	rig.ServeHTTP(httptest.NewRecorder(), asAda(httptest.NewRequestWithContext(ctx, "GET", "/account", nil)))
	if log := rig.log.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, "ERROR") {
		t.Errorf("logged %s", log)
	}
}

func TestAnAppThatGoesWhileWeLookSpoilsNoList(t *testing.T) {
	rig := newRig(nil)
	delete(rig.world.releases, hello)
	if res, body := rig.ask("GET", "/apps", "", nil); res.StatusCode != 200 || !strings.Contains(body, `"released_at":null`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestRequestIDs(t *testing.T) {
	for asked, kept := range map[string]bool{
		"0b1c2d3e-aaaa-bbbb-cccc-ddddeeeeffff": true, "": false, "short": false,
		"0b1c2d3e-aaaa,0b1c2d3e-bbbb": false, "with space in it": false, strings.Repeat("x", 129): false,
	} {
		rig := newRig(nil)
		res, _ := rig.ask("GET", "/nowhere", "", header("Request-Id", asked))
		got := res.Header.Get("Request-Id")
		if got == "" || (got == asked) != kept {
			t.Errorf("Request-Id %q becomes %q", asked, got)
		}
		if !strings.Contains(rig.log.String(), `"request":"`+got+`"`) {
			t.Errorf("the log lacks request %s: %s", got, rig.log)
		}
	}
}

func TestAccessLogHasOneLinePerRequest(t *testing.T) {
	rig := newRig(nil)
	rig.ask("GET", "/apps/hello?secret="+marker, "", nil)
	var line map[string]any
	if err := json.Unmarshal(rig.log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, rig.log)
	}
	for key, want := range map[string]any{
		"msg": "api request", "level": "INFO", "method": "GET", "path": "/apps/hello",
		"status": 200.0, "account": string(ada.ID), "app": "hello",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(rig.log.String(), marker) || strings.Contains(rig.log.String(), "ada-token") {
		t.Errorf("the log holds a query or a token: %s", rig.log)
	}
}

// audited finds the audit line of an action on an app, with who did it.
func audited(action string) func(*testing.T, *rig, *http.Response) {
	return auditLine(action, func(fields map[string]any) bool { return fields["app"] != "" })
}

// auditedOfAccount is audited for what has to do with no app.
func auditedOfAccount(action string) func(*testing.T, *rig, *http.Response) {
	return auditLine(action, func(fields map[string]any) bool { return fields["app"] == "" })
}

func auditLine(action string, fits func(fields map[string]any) bool) func(*testing.T, *rig, *http.Response) {
	return func(t *testing.T, r *rig, _ *http.Response) {
		t.Helper()
		for line := range bytes.Lines(r.log.Bytes()) {
			var fields map[string]any
			if err := json.Unmarshal(line, &fields); err != nil {
				t.Fatal(err)
			}
			whole := fields["token"] != "" && fields["from"] == "192.0.2.1" && fields["request"] != ""
			if fields["msg"] == "audit" && fields["action"] == action && fields["account"] == string(ada.ID) && whole && fits(fields) {
				return
			}
		}
		t.Errorf("no audit line of %q: %s", action, r.log)
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	rig := newRig(nil)
	rig.world.apps[hello] = renga.App{ID: hello, Name: "hello", Owner: ada.ID}
	rig.world.releases[hello][0].App = "no uuid, which is a bug and panics"
	res, body := rig.ask("GET", "/apps/hello/releases/1", "", nil)
	if res.StatusCode != 500 || strings.TrimSpace(body) != `{"id":"internal_server_error","message":"Internal server error."}` {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if !strings.Contains(rig.log.String(), `"stack":`) || !strings.Contains(rig.log.String(), `"status":500`) {
		t.Errorf("the log tells nothing: %s", rig.log)
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	res, body := newRig(nil).ask("PATCH", "/apps/hello", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`, nil)
	if res.StatusCode != 413 || !strings.Contains(body, `"id":"request_entity_too_large"`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestAnswersAreNotStoredOnTheWay(t *testing.T) {
	res, _ := newRig(nil).ask("GET", "/apps/hello/config-vars", "", nil)
	if got := res.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("Content-Type is %q", got)
	}
}

func TestHealth(t *testing.T) {
	well := func(context.Context) error { return nil }
	unwell := func(context.Context) error { return renga.Errorf(renga.Unavailable, "Redis does not answer.") }
	secret := func(context.Context) error { return errors.New("dial with password " + marker) }
	mayNot := func(context.Context) error { return renga.Errorf(renga.Forbidden, "Install iptables.") }
	for _, want := range []struct {
		name   string
		checks map[string]func(context.Context) error
		status int
		body   string
	}{
		{"no checks", nil, 200, `{"status":"ok","version":"1.2.3","checks":{}}`},
		{"all well", map[string]func(context.Context) error{"redis": well, "disk": well}, 200, `{"status":"ok","version":"1.2.3","checks":{"disk":"ok","redis":"ok"}}`},
		{"one unwell", map[string]func(context.Context) error{"redis": unwell, "disk": well}, 503, `{"status":"degraded","version":"1.2.3","checks":{"disk":"ok","redis":"Redis does not answer."}}`},
		{"one may not", map[string]func(context.Context) error{"firewall": mayNot, "disk": well}, 200, `{"status":"ok","version":"1.2.3","checks":{"disk":"ok","firewall":"Install iptables."}}`},
		{"a secret cause", map[string]func(context.Context) error{"redis": secret}, 503, `{"status":"degraded","version":"1.2.3","checks":{"redis":"This part does not work; the log says why."}}`},
	} {
		res, body := newRig(want.checks).ask("GET", "/healthz", "", header("Authorization", ""))
		if res.StatusCode != want.status || strings.TrimSpace(body) != want.body {
			t.Errorf("%s: %d: %s", want.name, res.StatusCode, body)
		}
	}
	if res, _ := newRig(nil).ask("POST", "/healthz", "", nil); res.StatusCode != 405 {
		t.Errorf("POST gets %d", res.StatusCode)
	}
}

func TestStatusIsForTheCLIWithoutAToken(t *testing.T) {
	well := func(context.Context) error { return nil }
	unwell := func(context.Context) error { return renga.Errorf(renga.Unavailable, "Redis does not answer.") }
	for _, c := range []struct {
		redis func(context.Context) error
		data  string
	}{{well, "green"}, {unwell, "red"}} {
		checks := map[string]func(context.Context) error{"redis": c.redis, "engine": well}
		res, body := newRig(checks).ask("GET", "/api/v4/current-status", "", header("Authorization", ""))
		want := `{"status":[{"system":"Apps","status":"green"},{"system":"Data","status":"` + c.data + `"},{"system":"Tools","status":"green"}],"incidents":[],"scheduled":[]}`
		if res.StatusCode != 200 || strings.TrimSpace(body) != want {
			t.Errorf("%d: %s", res.StatusCode, body)
		}
	}
	if res, _ := newRig(nil).ask("POST", "/api/v4/current-status", "", nil); res.StatusCode != 405 {
		t.Errorf("POST gets %d", res.StatusCode)
	}
}
