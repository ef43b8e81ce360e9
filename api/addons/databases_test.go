package addons_test

import (
	"net/http"
	"slices"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// TestTheCLIAsksForDatabases, and is told no URL and no password.
func TestTheCLIAsksForDatabases(t *testing.T) {
	run(t, []scenario{
		{
			Name: "pg:info", URL: "/client/v11/databases/postgresql-curved-12345",
			Has:    []string{`"name":"postgresql-curved-12345"`, `{"name":"Plan","values":["essential-0"]}`, `"resource_url":null`},
			HasNot: []string{"postgres://", wiretest.Marker},
		},
		{
			Name: "pg:wait", URL: "/client/v11/databases/postgresql-curved-12345/wait_status",
			Has: []string{`"waiting?":false`, `"error?":false`, `"message":"Available"`},
		},
		{
			Name: "redis:info", URL: "/redis/v0/databases/redis-flat-11111",
			Has: []string{`"name":"redis-flat-11111"`}, HasNot: []string{"redis://", wiretest.Marker},
		},
		{Name: "a Redis is no PostgreSQL", URL: "/client/v11/databases/redis-flat-11111", Status: 404},
		{Name: "nor the other way round", URL: "/redis/v0/databases/postgresql-curved-12345", Status: 404},
		{
			Name: "a foreign one is not there", URL: "/client/v11/databases/postgresql-curved-12345", Headers: wiretest.AsBob,
			Status: 404, HasNot: []string{"essential-0"},
		},
	})
}

// TestTheCLIRotates just the credential that it names, for those who may.
func TestTheCLIRotates(t *testing.T) {
	const all = "/postgres/v0/databases/postgresql-curved-12345/credentials_rotation"
	const one = "/postgres/v0/databases/postgresql-curved-12345/credentials/default/credentials_rotation"
	for _, url := range []string{all, one} {
		f := newFixture()
		before := generation(t, f)
		scenario{
			Method: http.MethodPost, URL: url, Body: `{}`,
			After: func(t *testing.T, f *fixture, _ *http.Response) {
				if now := generation(t, f); now != before+1 {
					t.Errorf("generation %d after %d", now, before)
				}
			},
		}.Play(t, f)
		f = newFixture(carol(renga.MayView, renga.MayDeploy))
		scenario{Method: http.MethodPost, URL: url, Body: `{}`, Headers: wiretest.Bearer("carol-token"), Status: 403}.Play(t, f)
		scenario{Method: http.MethodPost, URL: url, Body: `{}`, Headers: wiretest.AsBob, Status: 404}.Play(t, f)
	}
}

// generation counts the rotations of the database.
func generation(t *testing.T, f *fixture) int {
	t.Helper()
	a, err := f.DB.AddOn(t.Context(), wiretest.Database)
	if err != nil {
		t.Fatal(err)
	}
	return a.Generation
}

// redis:cli takes the URL from here; nobody else gets it here than in config vars.
func TestTheURLOfRedisIsForThoseWhoReadConfigVars(t *testing.T) {
	const url = "redis://u1:" + wiretest.Marker + "@redis-flat-11111.internal:6379"
	attached := func(s *wiretest.Seed) {
		i := slices.IndexFunc(s.AddOns, func(a renga.AddOn) bool { return a.ID == wiretest.OwnCache })
		s.AddOns[i].Attachments = []renga.Attachment{{
			ID: "71000000-0000-4000-8000-000000000009", App: wiretest.Hello, Name: "REDIS", Credential: renga.DefaultCredential,
		}}
		s.Releases[wiretest.Hello][3].Inputs.Credentials[wiretest.OwnCache] = renga.Credentials{
			Plan: "heroku-redis:mini", Version: 1, Vars: renga.Vars{"REDIS_URL": url},
		}
	}
	at := "/redis/v0/databases/redis-flat-11111"
	for _, sc := range []scenario{
		{Name: "the owner", URL: at, Has: []string{`"resource_url":"` + url + `"`}},
		{Name: "a token that reads", URL: at, Headers: wiretest.Bearer("ada-token/read"), Has: []string{`"resource_url":null`}},
		{Name: "a token that writes", URL: at, Headers: wiretest.Bearer("ada-token/write"), Has: []string{`"resource_url":null`}},
		{Name: "who views", URL: at, Headers: wiretest.Bearer("carol-token"), Has: []string{`"resource_url":null`}},
	} {
		t.Run(sc.Name, func(t *testing.T) { sc.Play(t, newFixture(attached, carol(renga.MayView))) })
	}
}

func TestTheCLIAsksForMoreOfDatabases(t *testing.T) {
	const db, cache = "/postgres/v0/databases/postgresql-curved-12345", "/redis/v0/databases/redis-flat-11111"
	run(t, []scenario{
		{
			Name: "pg:credentials", URL: db + "/credentials", Headers: wiretest.Bearer("ada-token/read"),
			Has: []string{`"name":"default"`, `"user":"u1","state":"active"`}, HasNot: []string{wiretest.Marker},
		},
		{
			Name: "pg:credentials:url", URL: db + "/credentials/default",
			Has: []string{
				`"host":"postgresql-curved-12345.internal","port":5432,"database":"d1"`, `"password":"` + wiretest.Marker + `"`,
			},
		},
		{Name: "of none", URL: db + "/credentials/none", Status: 404},
		{Name: "by a token that reads", URL: db + "/credentials/default", Headers: wiretest.Bearer("ada-token/read"), Status: 403},
		{Name: "of a stranger's", URL: db + "/credentials/default", Headers: wiretest.AsBob, Status: 404},
		{Name: "redis:wait", URL: cache + "/wait", Has: []string{`"waiting?":false`, `"message":"Available"`}},
		{Name: "redis:wait of PostgreSQL", URL: "/redis/v0/databases/postgresql-curved-12345/wait", Status: 404},
		{Name: "redis:maxmemory", Method: "PATCH", URL: cache + "/config", Body: `{"maxmemory_policy":"allkeys-lru"}`, Status: 422,
			Has: []string{"the catalogue's file"}},
		{Name: "pg:reset", Method: "PUT", URL: "/client/v11/databases/postgresql-curved-12345/reset", Status: 422,
			Has: []string{"not reset here"}},
		{Name: "pg:settings of a stranger's", URL: db + "/config", Headers: wiretest.AsBob, Status: 404},
		{Name: "a window", URL: "/data/maintenances/v1/" + string(wiretest.Database) + "/window", Status: 422,
			Has: []string{"no maintenance of add-ons here"}},
	})
}

func TestWhoRotatesTheCredentialOfRedis(t *testing.T) {
	for token, status := range map[string]int{"ada-token": 200, "ada-token/write": 403, "carol-token": 403, "bob-token": 404} {
		f := newFixture(carol(renga.MayView, renga.MayDeploy))
		sc := scenario{
			Method: "POST", URL: "/redis/v0/databases/redis-flat-11111/credentials_rotation", Status: status,
			Headers: wiretest.Bearer(token),
		}
		if status == http.StatusOK {
			sc.Has = []string{"{}"}
		}
		sc.Play(t, f)
		a, err := f.DB.AddOn(t.Context(), wiretest.OwnCache)
		if err != nil || (a.Generation == 2) != (status == http.StatusOK) {
			t.Errorf("with %s: generation %d, %v", token, a.Generation, err)
		}
	}
}
