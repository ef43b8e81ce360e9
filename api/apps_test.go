package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"renga"
)

func TestAccount(t *testing.T) {
	run(t, []scenario{
		{name: "own account", url: "/account", has: []string{`"email":"ada@example.com"`}},
		{name: "own account as user", url: "/users/~", has: []string{`"email":"ada@example.com"`}},
		{name: "own account by email", url: "/users/ada@example.com", has: []string{`"email":"ada@example.com"`}},
		{name: "own account by id", url: "/users/" + string(ada.ID), has: []string{`"email":"ada@example.com"`}},
		{name: "another's account, but for what is theirs to know", url: "/users/bob@example.com", has: []string{`"email":"bob@example.com"`, `"id":"` + string(bob.ID) + `"`, `"last_login":null`, `"name":null`}},
		{name: "nobody's account", url: "/users/nobody@example.com", status: 404, has: []string{`{"resource":"user","id":"not_found","message":"Couldn't find that user."}`}},
		{name: "another's apps", url: "/users/bob@example.com/apps", status: 404},
	})
}

func TestApps(t *testing.T) {
	run(t, []scenario{
		{name: "by name", url: "/apps/hello", has: []string{`"name":"hello"`, `"web_url":"http://hello.renga.localhost:5000/"`, `"git_url":"http://git.renga.localhost:5000/hello.git"`, `"slug_size":1000`}},
		{name: "by id", url: "/apps/" + string(hello), has: []string{`"name":"hello"`}},
		{name: "unknown name", url: "/apps/nobody", status: 404, has: []string{`{"resource":"app","id":"not_found","message":"Couldn't find that app."}`}},
		{name: "unknown id", url: "/apps/20000000-0000-4000-8000-00000000ffff", status: 404},
		{name: "impossible name", url: "/apps/Hello%2fworld", status: 404},
		{name: "of another", url: "/apps/other", status: 403, has: []string{`"id":"forbidden"`, `You do not have access to the app other.`}},
		{name: "of another by id tells no name", url: "/apps/" + string(other), status: 403, hasNot: []string{`other`}},
		{name: "being deleted", url: "/apps/hello", prepare: going, status: 404},
		{name: "being deleted is not listed", url: "/apps", prepare: going, has: []string{`[]`}},
		{name: "list shows own ones only", url: "/apps", has: []string{`"name":"hello"`}, hasNot: []string{`"name":"other"`}},
		{name: "list of the user", url: "/users/~/apps", has: []string{`"name":"hello"`}, hasNot: []string{`"name":"other"`}},
		{name: "create", method: "POST", url: "/apps", body: `{"name":"fresh","region":"us","stack":"container"}`, status: 201, has: []string{`"name":"fresh"`, `"slug_size":null`, `"stack":{"id":`}, after: audited("app created")},
		{name: "create without a name", method: "POST", url: "/apps", status: 201, has: []string{`"name":"silent-pond-1"`}},
		{name: "create a taken name", method: "POST", url: "/apps", body: `{"name":"other"}`, status: 422, has: []string{`{"id":"invalid_params","message":"Name other is already taken."}`}},
		{name: "create a bad name", method: "POST", url: "/apps", body: `{"name":"-"}`, status: 422, has: []string{`"id":"invalid_params"`}},
		{name: "create elsewhere", method: "POST", url: "/apps", body: `{"region":"eu"}`, status: 422, has: []string{`Region \"eu\" does not exist`}},
		{name: "create on another stack", method: "POST", url: "/apps", body: `{"stack":"heroku-24"}`, status: 422, has: []string{`the only one is container`}},
		{name: "maintenance on", method: "PATCH", url: "/apps/hello", body: `{"maintenance":true}`, has: []string{`"maintenance":true`, `"updated_at":"2026-01-03T03:04:05Z"`}, after: woken(1)},
		{name: "maintenance as it is", method: "PATCH", url: "/apps/hello", body: `{"maintenance":false}`, has: []string{`"updated_at":"2026-01-02T03:04:05Z"`}, after: woken(0)},
		{name: "maintenance no boolean", method: "PATCH", url: "/apps/hello", body: `{"maintenance":"yes"}`, status: 422, has: []string{`Field \"maintenance\" must be true or false.`}},
		{name: "stack as it is", method: "PATCH", url: "/apps/hello", body: `{"build_stack":"container"}`, has: []string{`"updated_at":"2026-01-02T03:04:05Z"`}},
		{name: "another stack", method: "PATCH", url: "/apps/hello", body: `{"build_stack":"heroku-24"}`, status: 422},
		{name: "rename", method: "PATCH", url: "/apps/hello", body: `{"name":"bye-bye"}`, has: []string{`"name":"bye-bye"`, `bye-bye.git`}, after: audited("app renamed")},
		{name: "rename to a name that is none", method: "PATCH", url: "/apps/hello", body: `{"name":"Bye"}`, status: 422, has: []string{`must start with a letter`}},
		{name: "rename to a taken name", method: "PATCH", url: "/apps/hello", body: `{"name":"other"}`, status: 422, has: []string{`Name other is already taken.`}},
		{name: "rename to itself", method: "PATCH", url: "/apps/hello", body: `{"name":"hello"}`, has: []string{`"name":"hello"`, `"updated_at":"2026-01-02T03:04:05Z"`}},
		{name: "delete", method: "DELETE", url: "/apps/hello", has: []string{`"name":"hello"`}, after: audited("app deleted")},
		{name: "delete, and it is gone", method: "DELETE", url: "/apps/hello", after: unlisted},
		{name: "delete again what was cut short", method: "DELETE", url: "/apps/hello", prepare: going, has: []string{`"name":"hello"`}, after: unlisted},
		{name: "delete of another", method: "DELETE", url: "/apps/other", status: 403},
	})
}

func unlisted(t *testing.T, r *rig, _ *http.Response) {
	t.Helper()
	if _, ok := r.world.apps[hello]; ok {
		t.Error("the app is there still")
	}
}

func going(w *world) {
	a := w.apps[hello]
	a.Deleting = true
	w.apps[hello] = a
}

func woken(times int) func(*testing.T, *rig, *http.Response) {
	return func(t *testing.T, r *rig, _ *http.Response) {
		if len(r.world.woken) != times {
			t.Errorf("woken %d times, want %d", len(r.world.woken), times)
		}
	}
}

func TestAppListPagesInEveryOrder(t *testing.T) {
	names := []string{"aaa", "bbb", "ccc", "ddd", "eee"}
	for _, order := range []string{"name ..; max=2", "name ..; max=2, order=desc", "id ..; max=1", "updated_at ..; max=2", "updated_at ..; max=2,order=desc"} {
		t.Run(order, func(t *testing.T) {
			rig := newRig(nil)
			delete(rig.world.apps, hello)
			for i, name := range names {
				if _, err := rig.world.CreateApp(t.Context(), name, ada.ID); err != nil {
					t.Fatal(err)
				}
				touch(rig.world, name, born.Add(time.Duration(i/3)*time.Millisecond))
			}
			seen := walk(t, rig, "/apps", order, "name")
			if len(seen) != len(names) {
				t.Errorf("saw %v, want each of %v once", seen, names)
			}
		})
	}
}

func TestAppListReadsOnlyThePageAndFindsWhatIsSharedBehindOthers(t *testing.T) {
	rig := newRig(nil)
	for i := range 500 {
		id := renga.AppID(fmt.Sprintf("30000000-0000-4000-8000-%012d", i))
		rig.world.apps[id] = renga.App{ID: id, Name: fmt.Sprintf("app-%d", i), Owner: ada.ID, CreatedAt: born, UpdatedAt: born}
	}
	for _, test := range []struct {
		name, header string
		owner        renga.AccountID // of all but the last of them
		seen, read   int
	}{
		{"a page", "id ..; max=5", ada.ID, 5, 200},
		{"the usual page", "", ada.ID, 200, 201},
		{"the page behind", "id ]30000000-0000-4000-8000-000000000397..", ada.ID, 102, 102},
		{"from the end", "id ..; max=300, order=desc", ada.ID, 300, 301},
		{"somebody else's", "id 3..", bob.ID, 1, 500},
		{"by name", "name app..", ada.ID, 200, 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			for id, a := range rig.world.apps {
				if a.Name != "app-499" && a.Name != "hello" {
					a.Owner = test.owner
					rig.world.apps[id] = a
				}
			}
			rig.world.read = 0
			got := listed(t, rig, "/apps", test.header, "name")
			if len(got) != test.seen || rig.world.read != test.read {
				t.Errorf("saw %d apps and read %d, want %d and %d", len(got), rig.world.read, test.seen, test.read)
			}
		})
	}
}

func touch(w *world, name string, at time.Time) {
	for id, a := range w.apps {
		if a.Name == name {
			a.UpdatedAt = at
			w.apps[id] = a
		}
	}
}

func TestAppRanges(t *testing.T) {
	rig := newRig(nil)
	for _, name := range []string{"aaa", "zzz"} {
		if _, err := rig.world.CreateApp(t.Context(), name, ada.ID); err != nil {
			t.Fatal(err)
		}
	}
	touch(rig.world, "zzz", born.Add(1500*time.Millisecond))
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
		if got := listed(t, rig, "/apps", header, "name"); sortedWords(got, header) != want {
			t.Errorf("Range %q lists %v, want %s", header, got, want)
		}
	}
}

func TestAppsOfOneAccountAreThoseItOwns(t *testing.T) {
	rig := newRig(nil)
	if got := listed(t, rig, "/apps", "", "name"); len(got) != 1 || got[0] != "hello" {
		t.Errorf("Ada sees %v", got)
	}
	rig.world.apps[hello] = renga.App{ID: hello, Name: "hello", Owner: bob.ID}
	if got := listed(t, rig, "/apps", "", "name"); len(got) != 0 {
		t.Errorf("Ada sees %v after giving it away", got)
	}
}
