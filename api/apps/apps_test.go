package apps_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"renga"
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
		{Name: "being deleted", URL: "/apps/hello", Prepare: going, Status: 404},
		{Name: "being deleted is not listed", URL: "/apps", Prepare: going, Has: []string{`[]`}},
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
			Name: "create without a name", Method: "POST", URL: "/apps", Status: 201,
			Has: []string{`"name":"silent-pond-1"`},
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
			Has: []string{`"maintenance":true`, `"updated_at":"2026-01-03T03:04:05Z"`}, After: woken(1),
		},
		{
			Name: "maintenance as it is", Method: "PATCH", URL: "/apps/hello", Body: `{"maintenance":false}`,
			Has: []string{`"updated_at":"2026-01-02T03:04:05Z"`}, After: woken(0),
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
		{Name: "delete, and it is gone", Method: "DELETE", URL: "/apps/hello", After: unlisted},
		{
			Name: "delete again what was cut short", Method: "DELETE", URL: "/apps/hello", Prepare: going,
			Has: []string{`"name":"hello"`}, After: unlisted,
		},
		{Name: "delete of another", Method: "DELETE", URL: "/apps/other", Status: 403},
	})
}

func unlisted(t *testing.T, r *fixture, _ *http.Response) {
	t.Helper()
	if _, ok := r.FakeRooms.Apps[wiretest.Hello]; ok {
		t.Error("the app is there still")
	}
}

func going(w *wiretest.FakeRooms) {
	a := w.Apps[wiretest.Hello]
	a.Deleting = true
	w.Apps[wiretest.Hello] = a
}

func woken(times int) func(*testing.T, *fixture, *http.Response) {
	return func(t *testing.T, r *fixture, _ *http.Response) {
		if len(r.FakeRooms.Woken) != times {
			t.Errorf("woken %d times, want %d", len(r.FakeRooms.Woken), times)
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
			fixture := newFixture()
			delete(fixture.FakeRooms.Apps, wiretest.Hello)
			for i, name := range names {
				if _, err := fixture.FakeRooms.CreateApp(t.Context(), name, wiretest.Ada.ID); err != nil {
					t.Fatal(err)
				}
				touch(fixture.FakeRooms, name, wiretest.Born.Add(time.Duration(i/3)*time.Millisecond))
			}
			seen := wiretest.Walk(t, fixture, "/apps", order, "name")
			if len(seen) != len(names) {
				t.Errorf("saw %v, want each of %v once", seen, names)
			}
		})
	}
}

func TestAppListReadsOnlyThePageAndFindsWhatIsSharedBehindOthers(t *testing.T) {
	fixture := newFixture()
	for i := range 500 {
		id := renga.AppID(fmt.Sprintf("30000000-0000-4000-8000-%012d", i))
		fixture.FakeRooms.Apps[id] = renga.App{
			ID: id, Name: fmt.Sprintf("app-%d", i), Owner: wiretest.Ada.ID, CreatedAt: wiretest.Born,
			UpdatedAt: wiretest.Born,
		}
	}
	for _, test := range []struct {
		name, header string
		owner        renga.AccountID // of all but the last of them
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
			for id, a := range fixture.FakeRooms.Apps {
				if a.Name != "app-499" && a.Name != "hello" {
					a.Owner = test.owner
					fixture.FakeRooms.Apps[id] = a
				}
			}
			fixture.FakeRooms.Read = 0
			got := wiretest.Listed(t, fixture, "/apps", test.header, "name")
			if len(got) != test.seen || fixture.FakeRooms.Read != test.read {
				t.Errorf("saw %d apps and read %d, want %d and %d", len(got), fixture.FakeRooms.Read, test.seen, test.read)
			}
		})
	}
}

func touch(w *wiretest.FakeRooms, name string, at time.Time) {
	for id, a := range w.Apps {
		if a.Name == name {
			a.UpdatedAt = at
			w.Apps[id] = a
		}
	}
}

func TestAppRanges(t *testing.T) {
	fixture := newFixture()
	for _, name := range []string{"aaa", "zzz"} {
		if _, err := fixture.FakeRooms.CreateApp(t.Context(), name, wiretest.Ada.ID); err != nil {
			t.Fatal(err)
		}
	}
	touch(fixture.FakeRooms, "zzz", wiretest.Born.Add(1500*time.Millisecond))
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
	fixture.FakeRooms.Apps[wiretest.Hello] = renga.App{ID: wiretest.Hello, Name: "hello", Owner: wiretest.Bob.ID}
	if got := wiretest.Listed(t, fixture, "/apps", "", "name"); len(got) != 0 {
		t.Errorf("Ada sees %v after giving it away", got)
	}
}
