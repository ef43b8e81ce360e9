package imports_test

import (
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/imports"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	room "renga/imports"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newFixture serves the family over the store. Nothing is copied, for the room does
// not run.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	r := wiretest.New(changes...)
	importer := room.New(room.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}, r.DB, r.DB, r.DB, nil, nil)
	return r.Mount(func(d *wire.Door) []wire.Route {
		return imports.New(d, imports.Parts{Imports: r.DB, Importer: importer, Credentials: r.DB, Rules: r.DB, Notices: r.DB}).Routes()
	})
}

// withImports has one that is over and one that is not.
func withImports(t *testing.T) *fixture {
	t.Helper()
	r := newFixture()
	for n, i := range []renga.Import{
		{
			ID: "90000000-0000-4000-8000-000000000001", Image: "ghcr.io/acme/shop:v1", State: renga.ImportReleased, Version: 3,
			Digest: "sha256:" + strings.Repeat("1", 64), Copied: 10, Total: 10,
		},
		{ID: "90000000-0000-4000-8000-000000000002", Image: "ghcr.io/acme/shop:v2", State: renga.ImportCopying},
	} {
		i.App, i.Process, i.By, i.CreatedAt = wiretest.Hello, renga.Web, wiretest.Ada.ID, wiretest.Born.Add(time.Duration(n)*time.Hour)
		i.UpdatedAt = i.CreatedAt
		if _, err := r.DB.AddImport(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestImports(t *testing.T) {
	const all = "/apps/hello/imports"
	for _, sc := range []scenario{
		{Name: "list", URL: all, Has: []string{`"state":"released"`, `"release":{"id":"`, `"version":3`, `"state":"copying"`}},
		{
			Name: "one", URL: all + "/90000000-0000-4000-8000-000000000001",
			Has: []string{`"image":"ghcr.io/acme/shop:v1"`, `"bytes_copied":10`, `"process_type":"web"`, `"reason":null`},
		},
		{Name: "none", URL: all + "/90000000-0000-4000-8000-00000000000f", Status: 404, Has: []string{"Couldn't find that import."}},
		{Name: "another app's", URL: "/apps/other/imports", Status: 403},
		{
			Name: "replayed", Method: "POST", URL: all + "/90000000-0000-4000-8000-000000000001/actions/replay", Status: 202,
			Has: []string{`"state":"matched"`, `"image":"ghcr.io/acme/shop:v1"`, `"digest":null`},
		},
		{
			Name: "replayed under way", Method: "POST", URL: all + "/90000000-0000-4000-8000-000000000002/actions/replay",
			Status: 422, Has: []string{"still under way"},
		},
		{
			Name: "replayed with a token that reaches no secrets", Method: "POST",
			URL:     all + "/90000000-0000-4000-8000-000000000001/actions/replay",
			Headers: wiretest.Bearer("ada-token/write"), Status: 403,
		},
	} {
		t.Run(sc.Name, func(t *testing.T) { sc.Play(t, withImports(t)) })
	}
}

func TestRegistryCredentials(t *testing.T) {
	const all = "/apps/hello/registry-credentials"
	const good = `{"username":"acme","password":"hunter2"}`
	wiretest.Run(t, newFixture, []scenario{
		{
			Name: "set", Method: "PUT", URL: all + "/GHCR.io", Body: good,
			Has: []string{`"host":"ghcr.io"`, `"username":"acme"`}, HasNot: []string{"hunter2"},
			After: func(t *testing.T, r *fixture, _ *http.Response) {
				l, err := r.DB.SourceLogin(t.Context(), wiretest.Hello, "ghcr.io")
				if err != nil || l.Password != "hunter2" {
					t.Errorf("%+v, %v", l, err)
				}
				if res, body := r.Ask("GET", all, "", nil); res.StatusCode != 200 || strings.Contains(body, "hunter2") ||
					!strings.Contains(body, `"host":"ghcr.io"`) {
					t.Errorf("%d %s", res.StatusCode, body)
				}
				if res, body := r.Ask("DELETE", all+"/ghcr.io", "", nil); res.StatusCode != 200 {
					t.Errorf("%d %s", res.StatusCode, body)
				}
				if l, err := r.DB.SourceLogin(t.Context(), wiretest.Hello, "ghcr.io"); err != nil || l.Host != "" {
					t.Errorf("still there: %+v, %v", l, err)
				}
			},
		},
		{
			Name: "Docker Hub by another name", Method: "PUT", URL: all + "/index.docker.io", Body: good,
			Has: []string{`"host":"docker.io"`},
		},
		{Name: "no host", Method: "PUT", URL: all + "/a@b", Body: good, Status: 422},
		{Name: "no password", Method: "PUT", URL: all + "/ghcr.io", Body: `{"username":"a"}`, Status: 422},
		{
			Name: "a line break", Method: "PUT", URL: all + "/ghcr.io", Body: `{"username":"a\nb","password":"c"}`,
			Status: 422,
		},
		{Name: "removed of none", Method: "DELETE", URL: all + "/ghcr.io", Status: 404},
		{Name: "of another app", URL: "/apps/other/registry-credentials", Status: 403},
	})
}
