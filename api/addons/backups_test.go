package addons_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

const backupsOfDatabase = "/addons/postgresql-curved-12345/backups"

// withBackup is a fixture with a completed backup of hello's database.
func withBackup(t *testing.T, changes ...func(*wiretest.Seed)) (*fixture, renga.Backup) {
	t.Helper()
	f := newFixture(changes...)
	b, err := f.CompleteBackup(t.Context(), wiretest.Database)
	if err != nil {
		t.Fatal(err)
	}
	return f, b
}

// newest is hello's newest backup or restore.
func newest(t *testing.T, f *fixture) renga.Backup {
	t.Helper()
	all, err := f.DB.BackupsOf(t.Context(), wiretest.Hello)
	if err != nil || len(all) == 0 {
		t.Fatalf("no backups, %v", err)
	}
	return all[0]
}

func TestBackups(t *testing.T) {
	f, b := withBackup(t)
	scenario{
		URL: backupsOfDatabase, Has: []string{
			`"id":"` + string(b.ID) + `"`, `"kind":"backup"`, `"name":"b001"`, `"state":"completed"`, `"duration":0`,
			`"addon":{"id":"` + string(wiretest.Database) + `","name":"postgresql-curved-12345"}`,
		}, HasNot: []string{wiretest.Marker},
	}.Play(t, f)
	for _, identity := range []string{string(b.ID), "b001", "1"} {
		scenario{URL: backupsOfDatabase + "/" + identity, Has: []string{string(b.ID)}}.Play(t, f)
	}
	scenario{URL: backupsOfDatabase + "/b002", Status: 404}.Play(t, f)
	scenario{URL: "/addons/redis-flat-11111/backups/b001", Status: 404}.Play(t, f)
	scenario{
		Method: "POST", URL: backupsOfDatabase, Status: 201, Has: []string{`"name":"b002"`, `"state":"pending"`},
	}.Play(t, f)
	scenario{Method: "POST", URL: backupsOfDatabase, Status: 422, Has: []string{"already"}}.Play(t, f)
	scenario{
		Method: "POST", URL: backupsOfDatabase + "/b002/actions/cancel", Status: 202,
		After: func(t *testing.T, f *fixture, _ *http.Response) {
			if b := newest(t, f); b.State != renga.BackupCanceled {
				t.Errorf("it is %s", b.State)
			}
		},
	}.Play(t, f)
	scenario{
		Method: "DELETE", URL: backupsOfDatabase + "/b002",
		After: func(t *testing.T, f *fixture, _ *http.Response) {
			if left := newest(t, f); left.ID != b.ID {
				t.Errorf("%+v is left", left)
			}
		},
	}.Play(t, f)
}

// A restore replaces data, so that it must be confirmed.
func TestARestoreIsConfirmed(t *testing.T) {
	const url = backupsOfDatabase + "/b001/actions/restore"
	f, b := withBackup(t)
	for _, body := range []string{`{}`, `{"confirm":"shop"}`, `{"confirm":"postgresql-curved-12345"}`} {
		scenario{Method: "POST", URL: url, Body: body, Status: 422, Has: []string{"Confirm it with the name of its app"}}.Play(t, f)
	}
	scenario{
		Method: "POST", URL: url, Body: `{"confirm":"hello","addon":{"name":"redis-flat-11111"}}`, Status: 422,
	}.Play(t, f)
	scenario{
		Method: "POST", URL: url, Body: `{"confirm":"hello"}`, Status: 202,
		Has: []string{`"kind":"restore"`, `"name":"r002"`, `"of":{"id":"` + string(b.ID) + `"`},
	}.Play(t, f)
}

// Backups are their app's: who has nothing to do with that finds none, by none of the
// routes, and who may only look asks for none.
func TestWhoMayDoWhatWithBackups(t *testing.T) {
	view, deploy, operate := renga.MayView, renga.MayDeploy, renga.MayOperate
	restores := `{"confirm":"hello"}`
	for _, c := range []struct {
		method, path, body string
		may                []renga.Permission
		scope              renga.Scope // that is too narrow
	}{
		{"GET", backupsOfDatabase, "", []renga.Permission{view}, renga.ScopeIdentity},
		{"GET", backupsOfDatabase + "/b001", "", []renga.Permission{view}, renga.ScopeIdentity},
		{"POST", backupsOfDatabase, "", []renga.Permission{operate}, renga.ScopeReadProtected},
		{"DELETE", backupsOfDatabase + "/b001", "", []renga.Permission{operate}, renga.ScopeWrite},
		{"POST", backupsOfDatabase + "/b001/actions/restore", restores, []renga.Permission{operate}, renga.ScopeWrite},
		{"POST", backupsOfDatabase + "/b001/actions/cancel", "", []renga.Permission{operate}, renga.ScopeReadProtected},
		{"POST", backupsOfDatabase + "/b001/actions/download", "", []renga.Permission{deploy, operate}, renga.ScopeWrite},
		{"POST", "/client/v11/databases/postgresql-curved-12345/backups", "", []renga.Permission{operate}, renga.ScopeRead},
		{"POST", "/client/v11/databases/postgresql-curved-12345/restores", "URL", []renga.Permission{operate}, renga.ScopeWrite},
		{"GET", "/client/v11/apps/hello/transfers", "", []renga.Permission{view}, renga.ScopeIdentity},
		{"DELETE", "/client/v11/apps/hello/transfers/1", "", []renga.Permission{operate}, renga.ScopeWrite},
		{"POST", "/client/v11/apps/hello/transfers/1/actions/public-url", "", []renga.Permission{deploy, operate}, renga.ScopeWrite},
	} {
		for _, has := range append([]renga.Permission{""}, view, deploy, operate) {
			allowed := has != "" && (c.may[0] == view || has == c.may[0] || len(c.may) > 1 && has == c.may[1])
			may := []renga.Permission{view, has}
			if has == "" {
				may = nil
			}
			f, b := withBackup(t, carol(may...))
			body := c.body
			if body == "URL" {
				body = `{"backup_url":"http://example.com/apps/` + string(b.App) + `/backups/` + string(b.ID) + `"}`
			}
			res, text := f.Ask(c.method, c.path, body, wiretest.Bearer("carol-token"))
			if ok := res.StatusCode < 300; ok != allowed || !ok && res.StatusCode != 403 && res.StatusCode != 404 {
				t.Errorf("%s %s as one who may %q: %d %s", c.method, c.path, has, res.StatusCode, text)
			}
			if strings.Contains(text, wiretest.Marker) {
				t.Errorf("%s %s shows data", c.method, c.path)
			}
		}
		f, _ := withBackup(t)
		if res, text := f.Ask(c.method, c.path, c.body, wiretest.Bearer("ada-token/"+string(c.scope))); res.StatusCode != 403 {
			t.Errorf("%s %s with a token of scope %s: %d %s", c.method, c.path, c.scope, res.StatusCode, text)
		}
	}
}

// A neighbour's backup is not restored into one's own database.
func TestAForeignBackupIsNotRestored(t *testing.T) {
	f := newFixture()
	b, err := f.CompleteBackup(t.Context(), wiretest.BobsCache)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"http://example.com/apps/" + string(b.App) + "/backups/" + string(b.ID),
		"http://example.com/apps/" + string(wiretest.Hello) + "/backups/" + string(b.ID),
		"http://elsewhere.example/apps/" + string(b.App) + "/backups/" + string(b.ID),
		"http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "", "%",
	} {
		res, text := f.Ask("POST", "/client/v11/databases/postgresql-curved-12345/restores",
			`{"backup_url":"`+url+`"}`, wiretest.Bearer("ada-token"))
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: %d %s", url, res.StatusCode, text)
		}
	}
	all, err := f.DB.BackupsOf(t.Context(), wiretest.Hello)
	if err != nil || len(all) != 0 {
		t.Errorf("there are %v, %v", all, err)
	}
}

// urlOf asks for the URL of hello's backup, and gives its path.
func urlOf(t *testing.T, f *fixture, token string) string {
	t.Helper()
	res, text := f.Ask("POST", "/client/v11/apps/hello/transfers/1/actions/public-url", "", wiretest.Bearer(token))
	var body struct{ URL string }
	if err := json.Unmarshal([]byte(text), &body); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	return strings.TrimPrefix(body.URL, "http://example.com")
}

// A URL is good once, without a token, for the one backup, and as long as who asked
// for it may read the app's secrets.
func TestTheURLOfABackup(t *testing.T) {
	f, b := withBackup(t, carol(renga.MayView, renga.MayDeploy))
	path := urlOf(t, f, "ada-token")
	for name, wrong := range map[string]string{
		"another's":     strings.Replace(path, string(b.ID), "80000000-0000-4000-8000-000000000009", 1),
		"without a key": strings.Split(path, "?")[0],
		"cut off":       path[:len(path)-3],
	} {
		if res, text := f.Ask("GET", wrong, "", wiretest.Header("Authorization", "")); res.StatusCode != 404 {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	if res, _ := f.Ask("HEAD", path, "", wiretest.Header("Authorization", "")); res.StatusCode != 404 {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	res, text := f.Ask("GET", path, "", wiretest.Header("Authorization", ""))
	if res.StatusCode != 200 || text != wiretest.Dump || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v", res.StatusCode, text, res.Header)
	}
	if res, text := f.Ask("GET", path, "", wiretest.Header("Authorization", "")); res.StatusCode != 404 {
		t.Errorf("a second time: %d %s", res.StatusCode, text)
	}
	path = urlOf(t, f, "carol-token")
	f.Edit(t, wiretest.Hello, func(a *renga.App) { a.Collaborators = with([]renga.Permission{renga.MayView}) })
	if res, text := f.Ask("GET", path, "", wiretest.Header("Authorization", "")); res.StatusCode != 403 {
		t.Errorf("after the right to it has ended: %d %s", res.StatusCode, text)
	}
}

// What the CLI looks at in pg:backups.
func TestTransfers(t *testing.T) {
	f, b := withBackup(t)
	if _, err := f.CompleteBackup(t.Context(), wiretest.OwnCache); err != nil {
		t.Fatal(err)
	}
	scenario{
		URL: "/client/v11/apps/hello/transfers", HasNot: []string{"redis-flat-11111", wiretest.Marker},
		Has: []string{
			`"from_type":"pg_dump"`, `"to_type":"gof3r"`, `"num":1`, `"succeeded":true`, `"from_name":"postgresql-curved-12345"`,
			`"to_url":"http://example.com/apps/` + string(wiretest.Hello) + `/backups/` + string(b.ID) + `"`, `"schedule":null`,
		},
	}.Play(t, f)
	scenario{URL: "/client/v11/apps/hello/transfers/1?verbose=true", Has: []string{`"logs":[`, "Ended: completed"}}.Play(t, f)
	scenario{URL: "/client/v11/apps/hello/transfers/2", Status: 404}.Play(t, f)
	scenario{
		Method: "POST", URL: "/client/v11/databases/redis-flat-11111/backups", Status: 404,
	}.Play(t, f)
	scenario{
		Method: "POST", URL: "/client/v11/databases/postgresql-curved-12345/restores", Status: 201,
		Body: `{"backup_url":"http://example.com/apps/` + string(wiretest.Hello) + `/backups/` + string(b.ID) + `"}`,
		Has:  []string{`"from_type":"gof3r"`, `"to_type":"pg_restore"`, `"num":3`, `"finished_at":null`},
	}.Play(t, f)
	scenario{
		Method: "POST", URL: "/client/v11/apps/hello/transfers/3/actions/cancel", Has: []string{`"num":3`},
	}.Play(t, f)
	scenario{
		URL: "/client/v11/apps/hello/transfers/3", Has: []string{`"succeeded":false`, `"canceled_at":"2`},
	}.Play(t, f)
	scenario{Method: "DELETE", URL: "/client/v11/apps/hello/transfers/3", Has: []string{`"num":3`}}.Play(t, f)
}

// What pg:backups:schedule asks for, and who may.
func TestBackupSchedules(t *testing.T) {
	const url = "/client/v11/databases/postgresql-curved-12345/transfer-schedules"
	const body = `{"hour":"02","timezone":"America/Los_Angeles","schedule_name":"DATABASE_URL"}`
	f := newFixture(carol(renga.MayView, renga.MayDeploy))
	for name, wrong := range map[string]string{
		"an hour too many": `{"hour":24}`, "no hour": `{}`, "a word": `{"hour":"noon"}`,
		"a place on Mars": `{"hour":2,"timezone":"Mars/Olympus"}`,
	} {
		if res, text := f.Ask("POST", url, wrong, wiretest.Bearer("ada-token")); res.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	scenario{Method: "POST", URL: url, Body: body, Headers: wiretest.Bearer("carol-token"), Status: 403}.Play(t, f)
	scenario{Method: "POST", URL: url, Body: body, Headers: wiretest.AsBob, Status: 404}.Play(t, f)
	scenario{
		Method: "POST", URL: url, Body: body, Status: 201,
		Has: []string{`"name":"DATABASE_URL"`, `"hour":2`, `"timezone":"America/Los_Angeles"`},
	}.Play(t, f)
	again := strings.Replace(body, "02", "03", 1)
	scenario{Method: "POST", URL: url, Body: again, Status: 201, Has: []string{`"hour":3`}}.Play(t, f)
	_, text := f.Ask("GET", url, "", wiretest.Bearer("ada-token"))
	var all []struct {
		UUID string
		Hour int
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 || all[0].Hour != 3 {
		t.Fatalf("there are %s", text)
	}
	scenario{Method: "DELETE", URL: url + "/" + all[0].UUID, Headers: wiretest.Bearer("carol-token"), Status: 403}.Play(t, f)
	scenario{
		Method: "DELETE", URL: "/addons/redis-flat-11111/backup-schedules/" + all[0].UUID, Status: 404,
	}.Play(t, f)
	scenario{
		Method: "DELETE", URL: url + "/" + all[0].UUID,
		After: func(t *testing.T, f *fixture, _ *http.Response) {
			left, err := f.DB.BackupSchedules(t.Context())
			if err != nil || len(left) != 0 {
				t.Errorf("%v are left, %v", left, err)
			}
		},
	}.Play(t, f)
}
