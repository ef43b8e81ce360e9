package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renga"
	"renga/api"
	"renga/api/wire"
	"renga/api/wire/wiretest"
)

func TestCredentials(t *testing.T) {
	refused := []string{`{"id":"unauthorized","message":"Invalid credentials provided."}`}
	with := func(authorization, own string) map[string]string {
		return map[string]string{"Authorization": authorization, "X-Renga-Token": own}
	}
	run(t, []scenario{
		{Name: "bearer", URL: "/account", Headers: with("Bearer ada-token", "")},
		{Name: "bearer in lower case", URL: "/account", Headers: with("bearer ada-token", "")},
		{Name: "basic with any user", URL: "/account", Headers: with(wiretest.Basic("whoever", "ada-token"), "")},
		{Name: "basic without user", URL: "/account", Headers: with(wiretest.Basic("", "ada-token"), "")},
		{Name: "own header", URL: "/account", Headers: with("", "ada-token")},
		{
			Name: "own header beside a useless one", URL: "/account",
			Headers: with(wiretest.Basic("", "undefined"), "ada-token"),
		},
		{
			Name: "own header beside an account that is named", URL: "/account",
			Headers: with(wiretest.Basic("bob@example.com", "nope"), "ada-token"), Status: 401, Has: refused,
		},
		{
			Name: "the first good one counts", URL: "/account", Headers: with("Bearer bob-token", "ada-token"),
			Has: []string{"bob@"},
		},
		{Name: "none", URL: "/account", Headers: with("", ""), Status: 401, Has: refused, After: challenged},
		{Name: "wrong", URL: "/account", Headers: with("Bearer nope", ""), Status: 401, Has: refused},
		{Name: "empty bearer", URL: "/account", Headers: with("Bearer ", ""), Status: 401, Has: refused},
		{
			Name: "token as user", URL: "/account", Headers: with(wiretest.Basic("ada-token", ""), ""), Status: 401,
			Has: refused,
		},
		{Name: "bare token", URL: "/account", Headers: with("ada-token", ""), Status: 401, Has: refused},
		{Name: "none, for an unknown path", URL: "/nowhere", Headers: with("", ""), Status: 401, Has: refused},
	})
}

func challenged(t *testing.T, _ *fixture, res *http.Response) {
	if !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("no challenge: %v", res.Header)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	missing := []string{`"id":"not_found","message":"The requested API endpoint was not found.`}
	allows := func(want string) func(*testing.T, *fixture, *http.Response) {
		return func(t *testing.T, _ *fixture, res *http.Response) {
			if got := res.Header.Get("Allow"); got != want {
				t.Errorf("Allow is %q, want %q", got, want)
			}
		}
	}
	run(t, []scenario{
		{Name: "unknown path", URL: "/nowhere", Status: 404, Has: missing},
		{Name: "root", URL: "/", Status: 404, Has: missing},
		{
			Name: "what is not here", URL: "/spaces/mine/nat", Status: 404,
			Has: []string{`"id":"not_found","message":"There are no private spaces`},
		},
		{
			Name: "what is not here, of an app", Method: "POST", URL: "/apps/hello/telemetry-drains", Status: 404,
			Has: []string{`"id":"not_found","message":"There are no telemetry drains here: `, "drains:add"},
		},
		{Name: "what only looks so", URL: "/apps/spaces/nothing", Status: 404, Has: missing},
		{
			Name: "buildpacks, without a token", URL: "/buildpacks/heroku%2Fnodejs", Headers: wiretest.Header("Authorization", ""), Status: 404,
			Has: []string{`"id":"not_found","message":"There is no registry of buildpacks here`},
		},
		{Name: "double slash is not redirected", Method: "POST", URL: "//apps", Status: 404, Has: missing},
		{Name: "dots are not redirected", URL: "/apps/../account", Status: 404, Has: missing},
		{Name: "slash at the end", URL: "/apps/", Status: 404, Has: missing},
		{
			Name: "wrong method", Method: "PUT", URL: "/apps/hello", Status: 404, Has: missing,
			After: allows("GET, HEAD, PATCH, DELETE"),
		},
		{Name: "head", Method: "HEAD", URL: "/apps/hello"},
		{
			Name: "any accepted version", URL: "/apps/hello",
			Headers: wiretest.Header("Accept", "application/vnd.heroku+json; version=3.docker-releases"),
		},
		{Name: "no accepted version", URL: "/apps/hello", Headers: wiretest.Header("Accept", "")},
	})
}

func TestErrorsHaveHerokusForm(t *testing.T) {
	for _, want := range []struct {
		err    error
		status int
		body   string
	}{
		{
			renga.Errorf(renga.Unavailable, "Redis is away."), 503,
			`{"id":"service_unavailable","message":"Redis is away."}`,
		},
		{
			renga.Errorf(renga.NoSpace, "The disk is full."), 507,
			`{"id":"insufficient_storage","message":"The disk is full."}`,
		},
		{renga.Errorf(renga.Conflict, "It is taken."), 422, `{"id":"invalid_params","message":"It is taken."}`},
		{renga.Errorf(renga.Invalid, "No."), 422, `{"id":"invalid_params","message":"No."}`},
		{renga.Errorf(renga.Forbidden, "Not yours."), 403, `{"id":"forbidden","message":"Not yours."}`},
		{renga.Errorf(renga.NotFound, "Not there."), 404, `{"id":"not_found","message":"Not there."}`},
		{
			renga.Errorf(renga.Internal, "secret cause"), 500,
			`{"id":"internal_server_error","message":"Internal server error."}`,
		},
		{errors.New("secret cause"), 500, `{"id":"internal_server_error","message":"Internal server error."}`},
		{
			fmt.Errorf("read: %w", renga.Errorf(renga.Unavailable, "Redis is away.")), 503,
			`{"id":"service_unavailable","message":"Redis is away."}`,
		},
	} {
		fixture := newFixture(nil)
		fixture.Broken = want.err
		res, body := fixture.Ask("GET", "/account", "", nil)
		if res.StatusCode != want.status || strings.TrimSpace(body) != want.body {
			t.Errorf("%v gets %d: %s", want.err, res.StatusCode, body)
		}
		if logged := strings.Contains(fixture.Logged.String(), want.err.Error()); logged != (want.status >= 500) {
			t.Errorf("%v: logged is %v", want.err, logged)
		}
	}
}

func TestClientsThatLeaveAreNoError(t *testing.T) {
	fixture := newFixture(nil)
	fixture.Broken = fmt.Errorf("read token: %w", context.Canceled)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	fixture.ServeHTTP(httptest.NewRecorder(), wiretest.AsAda(httptest.NewRequestWithContext(ctx, "GET", "/account", nil)))
	if log := fixture.Logged.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, "ERROR") {
		t.Errorf("logged %s", log)
	}
}

// listed lists an app that was deleted.
type listed struct {
	wire.Apps
	app renga.App
}

func (l listed) AppIDs(context.Context) ([]renga.AppID, error) { return []renga.AppID{l.app.ID}, nil }

func (l listed) SomeApps(context.Context, []renga.AppID) ([]renga.App, error) {
	return []renga.App{l.app}, nil
}

func TestAnAppThatIsDeletedMeanwhileSpoilsNoList(t *testing.T) {
	r := wiretest.New()
	r.Apps = listed{r.DB, r.App(t, wiretest.Hello)}
	if err := r.DB.RemoveApp(t.Context(), wiretest.Hello); err != nil {
		t.Fatal(err)
	}
	fixture := serve(r, func(*api.Options) {})
	if res, body := fixture.Ask("GET", "/apps", "", nil); res.StatusCode != 200 ||
		!strings.Contains(body, `"released_at":null`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestRequestIDs(t *testing.T) {
	for asked, kept := range map[string]bool{
		"0b1c2d3e-aaaa-bbbb-cccc-ddddeeeeffff": true, "": false, "short": false,
		"0b1c2d3e-aaaa,0b1c2d3e-bbbb": false, "with space in it": false, strings.Repeat("x", 129): false,
	} {
		fixture := newFixture(nil)
		res, _ := fixture.Ask("GET", "/nowhere", "", wiretest.Header("Request-Id", asked))
		got := res.Header.Get("Request-Id")
		if got == "" || (got == asked) != kept {
			t.Errorf("Request-Id %q becomes %q", asked, got)
		}
		if !strings.Contains(fixture.Logged.String(), `"request":"`+got+`"`) {
			t.Errorf("the log lacks request %s: %s", got, fixture.Logged)
		}
	}
}

func TestAccessLogHasOneLinePerRequest(t *testing.T) {
	fixture := newFixture(nil)
	fixture.Ask("GET", "/apps/hello?secret="+wiretest.Marker, "", nil)
	var line map[string]any
	if err := json.Unmarshal(fixture.Logged.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, fixture.Logged)
	}
	for key, want := range map[string]any{
		"msg": "api request", "level": "INFO", "method": "GET", "path": "/apps/hello",
		"status": 200.0, "account": string(wiretest.Ada.ID), "app": "hello",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(fixture.Logged.String(), wiretest.Marker) || strings.Contains(fixture.Logged.String(), "ada-token") {
		t.Errorf("the log holds a query or a token: %s", fixture.Logged)
	}
}

// faulty has a bug.
type faulty struct{ wire.Apps }

func (faulty) AppByName(context.Context, string) (renga.App, error) { panic("a bug") }

func TestPanicsBecomeErrors(t *testing.T) {
	r := wiretest.New()
	r.Apps = faulty{r.DB}
	fixture := serve(r, func(*api.Options) {})
	res, body := fixture.Ask("GET", "/apps/hello/releases/1", "", nil)
	if res.StatusCode != 500 ||
		strings.TrimSpace(body) != `{"id":"internal_server_error","message":"Internal server error."}` {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if !strings.Contains(fixture.Logged.String(), `"stack":`) || !strings.Contains(fixture.Logged.String(), `"status":500`) {
		t.Errorf("the log tells nothing: %s", fixture.Logged)
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	res, body := newFixture(nil).Ask("PATCH", "/apps/hello", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`, nil)
	if res.StatusCode != 413 || !strings.Contains(body, `"id":"request_entity_too_large"`) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
}

func TestAnswersAreNotStoredOnTheWay(t *testing.T) {
	res, _ := newFixture(nil).Ask("GET", "/apps/hello/config-vars", "", nil)
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
	secret := func(context.Context) error { return errors.New("dial with password " + wiretest.Marker) }
	mayNot := func(context.Context) error { return renga.Errorf(renga.Forbidden, "Install iptables.") }
	for _, want := range []struct {
		name   string
		checks map[string]func(context.Context) error
		status int
		body   string
	}{
		{"no checks", nil, 200, `{"status":"ok","version":"1.2.3","checks":{}}`},
		{
			"all well", map[string]func(context.Context) error{"redis": well, "disk": well}, 200,
			`{"status":"ok","version":"1.2.3","checks":{"disk":"ok","redis":"ok"}}`,
		},
		{
			"one unwell", map[string]func(context.Context) error{"redis": unwell, "disk": well}, 503,
			`{"status":"degraded","version":"1.2.3","checks":{"disk":"ok","redis":"Redis does not answer."}}`,
		},
		{
			"one may not", map[string]func(context.Context) error{"firewall": mayNot, "disk": well}, 200,
			`{"status":"ok","version":"1.2.3","checks":{"disk":"ok","firewall":"Install iptables."}}`,
		},
		{
			"a secret cause", map[string]func(context.Context) error{"redis": secret}, 503,
			`{"status":"degraded","version":"1.2.3","checks":{"redis":"This part does not work; the log says why."}}`,
		},
	} {
		res, body := newFixture(want.checks).Ask("GET", "/healthz", "", wiretest.Header("Authorization", ""))
		if res.StatusCode != want.status || strings.TrimSpace(body) != want.body {
			t.Errorf("%s: %d: %s", want.name, res.StatusCode, body)
		}
	}
	if res, _ := newFixture(nil).Ask("POST", "/healthz", "", nil); res.StatusCode != 405 {
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
		res, body := newFixture(checks).Ask("GET", "/api/v4/current-status", "", wiretest.Header("Authorization", ""))
		want := `{"status":[{"system":"Apps","status":"green"},{"system":"Data","status":"` + c.data +
			`"},{"system":"Tools","status":"green"}],"incidents":[],"scheduled":[]}`
		if res.StatusCode != 200 || strings.TrimSpace(body) != want {
			t.Errorf("%d: %s", res.StatusCode, body)
		}
	}
	if res, _ := newFixture(nil).Ask("POST", "/api/v4/current-status", "", nil); res.StatusCode != 405 {
		t.Errorf("POST gets %d", res.StatusCode)
	}
}
