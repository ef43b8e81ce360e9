package api_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// The refusals of the door.
const (
	narrow   = "The scope of this OAuth authorization does not allow access to this resource"
	stranger = "You do not have access to the app"
	lacking  = "You do not have permission to do that with the app"
)

// sets are all sets of permissions that a collaborator can have.
func sets() [][]renga.Permission {
	var all [][]renga.Permission
	for bits := range 8 {
		set := []renga.Permission{renga.MayView}
		for i, p := range []renga.Permission{renga.MayDeploy, renga.MayOperate, renga.MayManage} {
			if bits&(1<<i) != 0 {
				set = append(set, p)
			}
		}
		all = append(all, set)
	}
	return all
}

// standings gives the permissions on hello: of its owner, of each kind of
// collaborator, and of a stranger.
func standings() map[string][]renga.Permission {
	all := map[string][]renga.Permission{
		"owner": {renga.MayView, renga.MayDeploy, renga.MayOperate, renga.MayManage}, "stranger": nil,
	}
	for _, set := range sets() {
		all["may "+strings.ReplaceAll(renga.AnyPermission(set), " or ", ", ")] = set
	}
	return all
}

var scopes = []renga.Scope{
	renga.ScopeGlobal, renga.ScopeIdentity, renga.ScopeRead, renga.ScopeWrite, renga.ScopeReadProtected,
	renga.ScopeWriteProtected,
}

var inBraces = regexp.MustCompile(`\{[^}]+\}`)

// pathOf gives a path for a route, with the app hello. Its other parameters name
// nothing that exists.
func pathOf(route string) string {
	path := strings.NewReplacer("{app}", "hello", "{account}", "~", "{drain:.+}", "none").Replace(route)
	return inBraces.ReplaceAllString(path, "none")
}

// TestTheTableOfRightsHolds calls every route with every scope, as the owner of an
// app, as each kind of collaborator, and as a stranger, and compares the refusals
// with the table.
func TestTheTableOfRightsHolds(t *testing.T) {
	calls := 0
	for _, rt := range locked() {
		route, scope, either := needOf(rt)
		fixture := newFull()
		for _, standing := range slices.Sorted(maps.Keys(standings())) {
			has := standings()[standing]
			for _, held := range scopes {
				if _, err := fixture.DB.App(t.Context(), wiretest.Hello); renga.KindOf(err) == renga.NotFound {
					fixture = newFull() // the last request deleted it
				}
				stand(t, fixture, standing, has)
				token := "bob-token/" + string(held)
				if standing == "owner" {
					token = "ada-token/" + string(held)
				}
				res, body := fixture.Ask(route[0], pathOf(route[1]), `{}`, wiretest.Bearer(token))
				want := refusal(scope, either, held, has)
				if got := refusalIn(res, body); got != want {
					t.Errorf(
						"%s %s with a token of scope %s, %s: refused for %q, want %q: %d %s", route[0], route[1],
						held, standing, got, want, res.StatusCode, body,
					)
				}
				calls++
			}
		}
	}
	t.Logf("%d calls", calls)
}

// stand makes Bob the only collaborator of hello, if he has any permission.
func stand(t *testing.T, fixture *fixture, standing string, has []renga.Permission) {
	t.Helper()
	fixture.Edit(t, wiretest.Hello, func(a *renga.App) {
		a.Collaborators = nil
		if standing != "owner" && len(has) > 0 {
			a.Collaborators = wiretest.With(wiretest.Bob, has...)
		}
	})
}

// refusal gives the refusal by the table for a token and permissions; empty for
// none.
func refusal(scope renga.Scope, either []renga.Permission, held renga.Scope, has []renga.Permission) string {
	switch {
	case scope != "" && !(renga.Scopes{held}).Allow(scope):
		return narrow
	case len(either) == 0 ||
		slices.ContainsFunc(either, func(p renga.Permission) bool { return slices.Contains(has, p) }):
		return ""
	case len(has) == 0:
		return stranger
	}
	return lacking
}

func refusalIn(res *http.Response, body string) string {
	for _, says := range []string{narrow, stranger, lacking} {
		if strings.Contains(body, says) {
			if res.StatusCode != http.StatusForbidden {
				return says + " with another status"
			}
			return says
		}
	}
	return ""
}

// TestSecretsAreReadOneWayOnly checks that no route shows the values of config
// vars, or URLs that may contain passwords, to callers who may not read secrets.
func TestSecretsAreReadOneWayOnly(t *testing.T) {
	fixture := newSeeded(wiretest.AddAll, wiretest.WithPhase)
	if err := fixture.DB.EditWebhooks(t.Context(), wiretest.Hello, func(hooks map[string]renga.Webhook) error {
		hook := hooks[wiretest.HookID]
		hook.URL = wiretest.Hook.URL + "/" + wiretest.Marker
		hooks[wiretest.HookID] = hook
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, url := range readURLs() {
		res, whole := fixture.Ask("GET", url, "", nil)
		if res.StatusCode != http.StatusOK {
			continue // nothing is there
		}
		stand(t, fixture, "viewer", []renga.Permission{renga.MayView})
		_, viewed := fixture.Ask("GET", url, "", wiretest.Bearer("bob-token"))
		_, narrowed := fixture.Ask("GET", url, "", wiretest.Bearer("ada-token/read"))
		_, written := fixture.Ask("GET", url, "", wiretest.Bearer("ada-token/write"))
		if strings.Contains(viewed+narrowed+written, wiretest.Marker) {
			t.Errorf(
				"%s shows a secret: to who may only view %s, to scope read %s, to write %s", url, viewed, narrowed,
				written,
			)
		}
		if strings.Contains(whole, wiretest.Marker) != slices.Contains(secretURLs, url) {
			t.Errorf("%s shows its owner %s", url, whole)
		}
	}
}

// secretURLs are the GETs that show secrets to callers who may read them.
var secretURLs = []string{
	"/apps/hello/config-vars", "/apps/hello/releases/3/config-vars", "/apps/hello/releases/3/diff?values=true",
	"/apps/hello/log-drains", "/apps/hello/log-drains/50000000-0000-4000-8000-000000000001",
	"/addons/postgresql-curved-12345/webhooks", "/addons/postgresql-curved-12345/webhooks/" + wiretest.PartnerHook,
	"/apps/hello/webhooks", "/apps/hello/webhooks/" + wiretest.HookID, "/addons/postgresql-curved-12345/config",
}

// readURLs gives the GETs of Heroku's schema that are answered, and our own.
func readURLs() []string {
	urls := []string{
		"/apps/hello/releases/3/diff?values=true", "/apps/hello/releases/3/diff", "/apps/hello/metrics",
		"/apps/hello/health-check",
		"/apps/hello/sleep", "/apps/hello/canary", "/apps/hello/schedules", "/apps/hello/usage",
	}
	for _, row := range implemented {
		if row.method == "GET" {
			urls = append(urls, row.url)
		}
	}
	return urls
}

// TestWhatTheBodyAsksForIsAskedToo checks routes whose body decides what they do,
// and so which permission they need.
func TestWhatTheBodyAsksForIsAskedToo(t *testing.T) {
	const (
		one, both = "/apps/hello/formation/web", "/apps/hello/formation"
		old       = "/apps/hello/releases"
		scaled    = `{"quantity":2}`
		released  = `{"docker_image":"fresh"}`
		everyone  = `{"user":"carol@example.com"}`
	)
	batch := func(update string) string { return `{"updates":[{"type":"web",` + update[1:] + `]}` }
	for _, c := range []struct {
		may, scope        string
		method, url, body string
		status            int
	}{
		{"operate", "write", "PATCH", one, scaled, 200},
		{"operate", "write", "PATCH", both, batch(scaled), 200},
		{"deploy", "write", "PATCH", one, scaled, 403},
		{"deploy", "write", "PATCH", both, batch(scaled), 403},
		{"deploy", "write", "PATCH", one, released, 200},
		{"deploy", "write", "PATCH", both, batch(released), 200},
		{"operate", "write", "PATCH", one, released, 403},
		{"operate", "write", "PATCH", both, batch(released), 403},
		{"operate", "write", "PATCH", one, `{"docker_image":null}`, 403},
		{"deploy", "write", "POST", old, `{"release":"3","part":"code"}`, 201},
		{"deploy", "write", "POST", old, `{"release":"3","part":"config"}`, 403},
		{"deploy", "global", "POST", old, `{"release":"3","part":"config"}`, 403},
		{"deploy operate", "write", "POST", old, `{"release":"3","part":"config"}`, 403},
		{"deploy operate", "write-protected", "POST", old, `{"release":"3","part":"config"}`, 201},
		{"operate", "write", "PATCH", "/apps/hello", `{"name":"mine"}`, 403},
		{"operate manage", "write", "PATCH", "/apps/hello", `{"name":"mine"}`, 200},
		{"operate", "write", "DELETE", "/apps/hello/collaborators/ada@example.com", "", 422},
		{"manage", "global", "POST", "/apps/hello/collaborators", everyone, 403},
		{
			"manage", "global", "POST", "/apps/hello/collaborators",
			`{"user":"carol@example.com","permissions":["view"]}`, 201,
		},
		{"manage deploy operate", "global", "POST", "/apps/hello/collaborators", everyone, 201},
		{"manage deploy operate", "write-protected", "POST", "/apps/hello/collaborators", everyone, 403},
	} {
		at := newFixture(nil)
		var may []renga.Permission
		for _, p := range strings.Fields(c.may) {
			may = append(may, renga.Permission(p))
		}
		stand(t, at, "", may)
		before := at.Facts(t)
		headers := wiretest.Bearer("bob-token/" + c.scope)
		scenario{Method: c.method, URL: c.url, Body: c.body, Status: c.status, Headers: headers,
			After: func(t *testing.T, r *fixture, _ *http.Response) {
				if c.status < 300 && maps.Equal(before, r.Facts(t)) {
					t.Errorf("%s %s %s changed nothing", c.method, c.url, c.body)
				}
			}}.Play(t, at)
	}
}
