package apps_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"renga"
	"renga/api/wire"
	"renga/api/wire/wiretest"
)

func TestAccount(t *testing.T) {
	run(t, []scenario{
		{Name: "another's apps", URL: "/users/bob@example.com/apps", Status: 404},
	})
}

func TestApps(t *testing.T) {
	run(t, []scenario{
		{
			Name: "by name", URL: "/apps/hello",
			Has: []string{
				`"name":"hello"`, `"web_url":"http://hello.renga.localhost:5000/"`,
				`"git_url":"http://git.renga.localhost:5000/hello.git"`, `"slug_size":1000`,
			},
		},
		{Name: "by id", URL: "/apps/" + string(wiretest.Hello), Has: []string{`"name":"hello"`}},
		{
			Name: "unknown name", URL: "/apps/nobody", Status: 404,
			Has: []string{`{"resource":"app","id":"not_found","message":"Couldn't find that app."}`},
		},
		{Name: "unknown id", URL: "/apps/20000000-0000-4000-8000-00000000ffff", Status: 404},
		{Name: "impossible name", URL: "/apps/Hello%2fworld", Status: 404},
		{
			Name: "of another", URL: "/apps/other", Status: 403,
			Has: []string{`"id":"forbidden"`, `You do not have access to the app other.`},
		},
		{
			Name: "of another by id tells no name", URL: "/apps/" + string(wiretest.Other), Status: 403,
			HasNot: []string{`other`},
		},
		{Name: "being deleted", URL: "/apps/hello", Prepare: deleting, Status: 404},
		{Name: "being deleted is not listed", URL: "/apps", Prepare: deleting, Has: []string{`[]`}},
		{
			Name: "list shows own ones only", URL: "/apps", Has: []string{`"name":"hello"`},
			HasNot: []string{`"name":"other"`},
		},
		{
			Name: "list of the user", URL: "/users/~/apps", Has: []string{`"name":"hello"`},
			HasNot: []string{`"name":"other"`},
		},
		{
			Name: "create", Method: "POST", URL: "/apps", Body: `{"name":"fresh","region":"us","stack":"container"}`,
			Status: 201, Has: []string{`"name":"fresh"`, `"slug_size":null`, `"stack":{"id":`},
			After: wiretest.Audited("app created"),
		},
		{
			Name: "create without a name", Method: "POST", URL: "/apps", Status: 201, Has: []string{`"name":"`},
			After: func(t *testing.T, r *fixture, _ *http.Response) {
				if got := wiretest.Listed(t, r, "/apps", "", "name"); len(got) != 2 || renga.ValidateAppName(got[1]) != nil {
					t.Errorf("apps are %v", got)
				}
			},
		},
		{
			Name: "create a taken name", Method: "POST", URL: "/apps", Body: `{"name":"other"}`, Status: 422,
			Has: []string{`{"id":"invalid_params","message":"Name other is already taken."}`},
		},
		{
			Name: "create a bad name", Method: "POST", URL: "/apps", Body: `{"name":"-"}`, Status: 422,
			Has: []string{`"id":"invalid_params"`},
		},
		{
			Name: "create elsewhere", Method: "POST", URL: "/apps", Body: `{"region":"eu"}`, Status: 422,
			Has: []string{`Region \"eu\" does not exist`},
		},
		{
			Name: "create on another stack", Method: "POST", URL: "/apps", Body: `{"stack":"heroku-24"}`, Status: 422,
			Has: []string{`the only one is container`},
		},
		{
			Name: "maintenance on", Method: "PATCH", URL: "/apps/hello", Body: `{"maintenance":true}`,
			Has: []string{`"maintenance":true`}, HasNot: []string{`"updated_at":"2026-01-02T03:04:05Z"`},
			After: reconciled(1),
		},
		{
			Name: "maintenance as it is", Method: "PATCH", URL: "/apps/hello", Body: `{"maintenance":false}`,
			Has: []string{`"updated_at":"2026-01-02T03:04:05Z"`}, After: reconciled(0),
		},
		{
			Name: "maintenance no boolean", Method: "PATCH", URL: "/apps/hello", Body: `{"maintenance":"yes"}`,
			Status: 422, Has: []string{`Field \"maintenance\" must be true or false.`},
		},
		{
			Name: "stack as it is", Method: "PATCH", URL: "/apps/hello", Body: `{"build_stack":"container"}`,
			Has: []string{`"updated_at":"2026-01-02T03:04:05Z"`},
		},
		{Name: "another stack", Method: "PATCH", URL: "/apps/hello", Body: `{"build_stack":"heroku-24"}`, Status: 422},
		{
			Name: "rename", Method: "PATCH", URL: "/apps/hello", Body: `{"name":"bye-bye"}`,
			Has: []string{`"name":"bye-bye"`, `bye-bye.git`}, After: wiretest.Audited("app renamed"),
		},
		{
			Name: "rename to a name that is none", Method: "PATCH", URL: "/apps/hello", Body: `{"name":"Bye"}`,
			Status: 422, Has: []string{`must start with a letter`},
		},
		{
			Name: "rename to a taken name", Method: "PATCH", URL: "/apps/hello", Body: `{"name":"other"}`,
			Status: 422, Has: []string{`Name other is already taken.`},
		},
		{
			Name: "rename to itself", Method: "PATCH", URL: "/apps/hello", Body: `{"name":"hello"}`,
			Has: []string{`"name":"hello"`, `"updated_at":"2026-01-02T03:04:05Z"`},
		},
		{
			Name: "delete", Method: "DELETE", URL: "/apps/hello", Has: []string{`"name":"hello"`},
			After: wiretest.Audited("app deleted"),
		},
		{Name: "delete, and it is gone", Method: "DELETE", URL: "/apps/hello", After: isGone},
		{
			Name: "delete again what was cut short", Method: "DELETE", URL: "/apps/hello", Prepare: deleting,
			Has: []string{`"name":"hello"`}, After: isGone,
		},
		{Name: "delete of another", Method: "DELETE", URL: "/apps/other", Status: 403},
	})
}

func isGone(t *testing.T, r *fixture, _ *http.Response) {
	t.Helper()
	if a, err := r.DB.App(t.Context(), wiretest.Hello); renga.KindOf(err) != renga.NotFound {
		t.Errorf("the app is there still: %+v, %v", a, err)
	}
}

func deleting(s *wiretest.Seed) { s.Edit(wiretest.Hello, func(a *renga.App) { a.Deleting = true }) }

func reconciled(times int) func(*testing.T, *fixture, *http.Response) {
	return func(t *testing.T, r *fixture, _ *http.Response) {
		if len(r.Reconciled) != times {
			t.Errorf("reconciled %d times, want %d", len(r.Reconciled), times)
		}
	}
}

func TestAppListPagesInEveryOrder(t *testing.T) {
	names := []string{"aaa", "bbb", "ccc", "ddd", "eee"}
	for _, order := range []string{
		"name ..; max=2", "name ..; max=2, order=desc", "id ..; max=1", "updated_at ..; max=2",
		"updated_at ..; max=2,order=desc",
	} {
		t.Run(order, func(t *testing.T) {
			fixture := newFixture(func(s *wiretest.Seed) {
				for i, name := range names {
					s.AddApp(appNamed(name, i, wiretest.Born.Add(time.Duration(i/3)*time.Millisecond)))
				}
			})
			if err := fixture.DB.RemoveApp(t.Context(), wiretest.Hello); err != nil {
				t.Fatal(err)
			}
			seen := wiretest.Walk(t, fixture, "/apps", order, "name")
			if len(seen) != len(names) {
				t.Errorf("saw %v, want each of %v once", seen, names)
			}
		})
	}
}

func TestAppListReadsOnlyThePageAndFindsWhatIsSharedBehindOthers(t *testing.T) {
	fixture := newFixture(func(s *wiretest.Seed) {
		for i := range 500 {
			s.AddApp(appNamed(fmt.Sprintf("app-%d", i), i, wiretest.Born))
		}
	})
	all, err := fixture.DB.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedApps{Apps: fixture.Apps}
	fixture.Apps = counted
	mount(fixture)
	for _, test := range []struct {
		name, header string
		owner        renga.AccountID // of all of them but the last
		seen, read   int
	}{
		{"a page", "id ..; max=5", wiretest.Ada.ID, 5, 200},
		{"the usual page", "", wiretest.Ada.ID, 200, 201},
		{"the page behind", "id ]30000000-0000-4000-8000-000000000397..", wiretest.Ada.ID, 102, 102},
		{"from the end", "id ..; max=300, order=desc", wiretest.Ada.ID, 300, 301},
		{"somebody else's", "id 3..", wiretest.Bob.ID, 1, 500},
		{"by name", "name app..", wiretest.Ada.ID, 200, 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, a := range all {
				if a.Name != "app-499" && a.Name != "hello" && a.Owner != test.owner {
					all[i].Owner = test.owner
					fixture.Edit(t, a.ID, func(a *renga.App) { a.Owner = test.owner })
				}
			}
			counted.read = 0
			got := wiretest.Listed(t, fixture, "/apps", test.header, "name")
			if len(got) != test.seen || counted.read != test.read {
				t.Errorf("saw %d apps and read %d, want %d and %d", len(got), counted.read, test.seen, test.read)
			}
		})
	}
}

// countedApps counts how many apps are read for lists.
type countedApps struct {
	wire.Apps
	read int
}

func (c *countedApps) SomeApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error) {
	c.read += len(ids)
	return c.Apps.SomeApps(ctx, ids)
}

// appNamed is the nth app of Ada's beside hello.
func appNamed(name string, n int, updated time.Time) renga.App {
	return renga.App{
		ID: renga.AppID(fmt.Sprintf("30000000-0000-4000-8000-%012d", n)), Name: name, Owner: wiretest.Ada.ID,
		CreatedAt: wiretest.Born, UpdatedAt: updated,
	}
}

func TestAppRanges(t *testing.T) {
	fixture := newFixture(func(s *wiretest.Seed) {
		s.AddApp(appNamed("aaa", 1, wiretest.Born))
		s.AddApp(appNamed("zzz", 2, wiretest.Born.Add(1500*time.Millisecond)))
	})
	for header, want := range map[string]string{
		"name b..y":                          "hello",
		"name aaa..hello":                    "aaa hello",
		"name ]aaa..zzz[":                    "hello",
		"name [aaa..zzz]; order=desc":        "zzz hello aaa",
		"updated_at 2026-01-02T03:04:06Z..":  "zzz",
		"updated_at ]2026-01-02T03:04:05Z..": "zzz",
		"updated_at ..2026-01-02T03:04:05Z":  "aaa hello",
		"updated_at ..2026-01-02T03:04:05Z[": "",
		"updated_at ..2026-01-02T03:04:06Z":  "aaa hello zzz",
		"updated_at ]2026-01-02T03:04:06Z..": "",
		"bytes=0-99":                         "aaa hello zzz",
	} {
		if got := wiretest.Listed(t, fixture, "/apps", header, "name"); wiretest.SortedWords(got, header) != want {
			t.Errorf("Range %q lists %v, want %s", header, got, want)
		}
	}
}

func TestAppsOfOneAccountAreThoseItOwns(t *testing.T) {
	fixture := newFixture()
	if got := wiretest.Listed(t, fixture, "/apps", "", "name"); len(got) != 1 || got[0] != "hello" {
		t.Errorf("Ada sees %v", got)
	}
	fixture.Edit(t, wiretest.Hello, func(a *renga.App) { a.Owner = wiretest.Bob.ID })
	if got := wiretest.Listed(t, fixture, "/apps", "", "name"); len(got) != 0 {
		t.Errorf("Ada sees %v after giving it away", got)
	}
}
