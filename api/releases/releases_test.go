package releases_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestReleases(t *testing.T) {
	third := wiretest.IDOf(t, newFixture(), 3)
	run(t, []scenario{
		{
			Name: "by version", URL: "/apps/hello/releases/3",
			Has: []string{
				`"version":3`, `"id":"` + third, `"current":true`, `"eligible_for_rollback":true`, `"reason":null`,
				`"log":[]`, `"web":"sha256:`,
			},
		},
		{Name: "by v version", URL: "/apps/hello/releases/v3", Has: []string{`"version":3`}},
		{Name: "by id", URL: "/apps/hello/releases/" + third, Has: []string{`"version":3`}},
		{
			Name: "failed, with reason and log", URL: "/apps/hello/releases/4",
			Has: []string{
				`"status":"failed"`, `"current":false`, `"reason":"web.1 exited with status 1."`, `"log":["boom"]`,
				`"updated_at":"2026-01-02T04:04:05Z"`,
			},
		},
		{
			Name: "not eligible, with reason", URL: "/apps/hello/releases/1",
			Has: []string{`"eligible_for_rollback":false`, `"reason":"v1 has no image, so there is nothing to run`},
		},
		{
			Name: "pending, without a word of rollbacks", URL: "/apps/hello/releases/4", Prepare: pendingFourth,
			Has: []string{`"status":"pending"`, `"eligible_for_rollback":false`, `"reason":null`},
		},
		{
			Name: "lists leave the log out", URL: "/apps/hello/releases", Has: []string{`"log":null`},
			HasNot: []string{"boom"},
		},
		{Name: "superseded is succeeded", URL: "/apps/hello/releases/2", Prepare: func(s *wiretest.Seed) {
			s.Releases[wiretest.Hello][1].Outcome = renga.Outcome{Status: renga.Superseded, At: wiretest.Born}
		}, Has: []string{`"status":"succeeded"`}},
		{Name: "by somebody who is gone", URL: "/apps/hello/releases/2", Prepare: func(s *wiretest.Seed) {
			s.Releases[wiretest.Hello][1].By = "somebody"
		}, Has: []string{`"user":{"email":"unknown@renga.localhost","id":"00000000-0000-0000-0000-000000000000"}`}},
		{
			Name: "unknown version", URL: "/apps/hello/releases/99", Status: 404,
			Has: []string{`"resource":"release"`, `Couldn't find that release.`},
		},
		{Name: "no version", URL: "/apps/hello/releases/0", Status: 404},
		{Name: "huge version", URL: "/apps/hello/releases/99999999999999999999", Status: 404},
		{Name: "unknown id", URL: "/apps/hello/releases/" + string(wiretest.Hello), Status: 404},
		{Name: "of another", URL: "/apps/other/releases", Status: 403},
	})
}

func TestRollback(t *testing.T) {
	third := wiretest.IDOf(t, newFixture(), 3)
	rolled := []string{`"version":5`, `"description":"Rollback to v3"`}
	refused := func(name, body, message string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/apps/hello/releases", Body: body, Status: 422,
			Has: []string{`"id":"invalid_params"`, message},
		}
	}
	run(t, []scenario{
		{
			Name: "to an id", Method: "POST", URL: "/apps/hello/releases", Body: `{"release":"` + third + `"}`,
			Status: 201, Has: rolled, After: wiretest.Audited("rolled back"),
		},
		{
			Name: "to a version", Method: "POST", URL: "/apps/hello/releases", Body: `{"release":"v3"}`, Status: 201,
			Has: rolled,
		},
		{
			Name: "to a number", Method: "POST", URL: "/apps/hello/releases", Body: `{"release":3}`, Status: 201,
			Has: rolled,
		},
		{
			Name: "of code only", Method: "POST", URL: "/apps/hello/releases", Body: `{"release":3,"part":"code"}`,
			Status: 201, Has: []string{"Rollback to v3 (code only)"},
		},
		{
			Name: "of config only", Method: "POST", URL: "/apps/hello/releases",
			Body: `{"release":3,"part":"config"}`, Status: 201, Has: []string{"Rollback to v3 (config only)"},
		},
		refused("of something else", `{"release":3,"part":"all"}`, `Part must be`),
		refused("to a failed one", `{"release":"v4"}`, `v4 cannot be rolled back to, for it failed: web.1 exited with status 1.`),
		refused("to one without images", `{"release":"v1"}`, `v1 has no image, so there is nothing to run`),
		refused("to a missing version", `{"release":"v99"}`, `hello has no release v99.`),
		refused("to a missing id", `{"release":"`+string(wiretest.Hello)+`"}`, `hello has no release`),
		refused("to nonsense", `{"release":"latest"}`, `hello has no release latest.`),
		refused("to nothing", `{}`, `Name the release to roll back to`),
		refused("to a list", `{"release":[3]}`, `A release is named by its id or its version.`),
		refused("of a slug", `{"slug":"`+third+`"}`, `push an image instead`),
	})
}

func TestReleaseDiff(t *testing.T) {
	run(t, []scenario{
		{Name: "with the one before", URL: "/apps/hello/releases/4/diff", Has: []string{
			`"from":"v3","to":"v4"`, `"added":{"worker":"sha256:`, `"changed":{"web":{"from":"sha256:`,
			`"config_vars":{"added":[],"changed":["COLOR"],"removed":[]}`,
		}, HasNot: []string{`"red"`, `"blue"`, wiretest.Marker, `"values"`}},
		{
			Name: "with another", URL: "/apps/hello/releases/v2/diff?against=v4",
			Has: []string{`"from":"v4","to":"v2"`, `"removed":{"worker":`, `"removed":["COLOR","SECRET"]`},
		},
		{
			Name: "with values", URL: "/apps/hello/releases/4/diff?against=2&values=true",
			Has: []string{`"values":{"added":{"COLOR":"blue","SECRET":"` + wiretest.Marker + `"}`},
		},
		{
			Name: "of the first", URL: "/apps/hello/releases/1/diff",
			Has: []string{`{"from":null,"to":"v1","images":{"added":{},"changed":{},"removed":{}},` +
				`"config_vars":{"added":[],"changed":[],"removed":[]},"credentials":[]}`},
		},
		{Name: "of a missing one", URL: "/apps/hello/releases/99/diff", Status: 404},
		{Name: "with a missing one", URL: "/apps/hello/releases/4/diff?against=v99", Status: 404},
		{Name: "with nonsense", URL: "/apps/hello/releases/4/diff?against=x", Status: 404},
	})
}

// withAddOns makes releases with credentials: attached, rotated, and one of two
// taken away while the other is attached under a further name.
func withAddOns(s *wiretest.Seed) {
	layer := func(version int, names ...string) renga.Credentials {
		c := renga.Credentials{Plan: "heroku-postgresql:essential-0", Version: version, Vars: renga.Vars{}}
		for _, name := range names {
			c.Vars[name] = wiretest.Marker + string(rune('0'+version))
		}
		return c
	}
	cache := layer(1, "REDIS_URL")
	cache.Plan = "heroku-redis:mini"
	for _, all := range []map[renga.AddOnID]renga.Credentials{
		{wiretest.Database: layer(1, "DATABASE_URL"), wiretest.BobsCache: cache},
		{wiretest.Database: layer(2, "DATABASE_URL"), wiretest.BobsCache: cache},
		{wiretest.Database: layer(2, "DATABASE_URL", "BOOKS_URL")},
	} {
		in := s.Releases[wiretest.Hello][3].Inputs.Clone()
		in.Credentials = all
		s.Add(wiretest.Hello, "Attach", in)
	}
}

func TestReleaseDiffShowsVersionsOfCredentialsAndNoValues(t *testing.T) {
	database := `{"addon":{"id":"` + string(wiretest.Database) + `","name":"postgresql-curved-12345"},` +
		`"plan":"heroku-postgresql:essential-0",`
	cache := `{"addon":{"id":"` + string(wiretest.BobsCache) + `","name":null},"plan":"heroku-redis:mini",`
	for url, want := range map[string]string{
		"/apps/hello/releases/5/diff": `"credentials":[` + database +
			`"from":null,"to":1,"config_vars":{"added":["DATABASE_URL"],"changed":[],"removed":[]}},` + cache +
			`"from":null,"to":1,"config_vars":{"added":["REDIS_URL"],"changed":[],"removed":[]}}]`,
		"/apps/hello/releases/6/diff?values=true": `"credentials":[` + database +
			`"from":1,"to":2,"config_vars":{"added":[],"changed":["DATABASE_URL"],"removed":[]}}]`,
		"/apps/hello/releases/7/diff": `"credentials":[` + database +
			`"from":2,"to":2,"config_vars":{"added":["BOOKS_URL"],"changed":[],"removed":[]}},` + cache +
			`"from":1,"to":null,"config_vars":{"added":[],"changed":[],"removed":["REDIS_URL"]}}]`,
	} {
		scenario{URL: url, Has: []string{want}, HasNot: []string{wiretest.Marker}}.Play(t, newFixture(withAddOns))
	}
	scenario{
		URL: "/apps/hello/releases/7", Has: []string{`"addon_plan_names":["heroku-postgresql:essential-0"]`},
	}.Play(t, newFixture(withAddOns))
	scenario{
		URL: "/apps/hello/releases/6", Has: []string{`"addon_plan_names":["heroku-postgresql:essential-0","heroku-redis:mini"]`},
	}.Play(t, newFixture(withAddOns))
}

func TestListsAreAnsweredWhenEligibilityIsNotKnown(t *testing.T) {
	fixture := newFixture()
	fixture.Ledger.Broken = errors.New("read " + wiretest.Marker)
	res, body := fixture.Ask("GET", "/apps/hello/releases", "", nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "could not be found out; try again") ||
		strings.Contains(body, wiretest.Marker) {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if !strings.Contains(fixture.Logged.String(), "eligibility of a release is not known") {
		t.Errorf("the log lacks the cause: %s", fixture.Logged)
	}
}

func TestCurrentIsTheReleaseThatServes(t *testing.T) {
	fixture := newFixture()
	res, body := fixture.Ask("GET", "/apps/hello/releases", "", nil)
	if res.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	var list []struct {
		Version int
		Current bool
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Current != (r.Version == 3) {
			t.Errorf("v%d has current %v; v4 failed and v3 serves", r.Version, r.Current)
		}
	}
}

func TestReleasesAreMadeOfStoredImages(t *testing.T) {
	fixture := newFixture()
	made := func(body string, has ...string) {
		t.Helper()
		scenario{Method: "POST", URL: "/apps/hello/releases", Body: body, Status: 201, Has: has}.Play(t, fixture)
	}
	made(
		`{"oci_image":"fresh","description":"by a tag"}`, `"version":5`, `"description":"by a tag"`,
		`"artifacts":[{"type":"oci-image","id":"`,
	)
	newest := fixture.Record(t, wiretest.Hello, 5)
	if newest.Images[renga.Web].Digest != wiretest.Image(renga.Web, 9).Digest {
		t.Errorf("released %+v", newest.Images)
	}
	_, body := fixture.Ask("GET", "/apps/hello/releases/5", "", nil)
	var release struct {
		Artifacts []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &release); err != nil || len(release.Artifacts) == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, one := range release.Artifacts {
		made(`{"oci_image":"`+one.ID+`"}`, `"artifacts":[{"type":"oci-image","id":"`)
	}
	for body, says := range map[string]string{
		`{"oci_image":"` + wiretest.OfferID + `"}`: "name it by its digest",
		`{"oci_image":"nothing"}`:                  "No image nothing was pushed",
		`{"oci_image":"fresh","release":"v3"}`:     "two releases",
		`{"oci_image":7}`:                          "must be a string",
	} {
		scenario{Method: "POST", URL: "/apps/hello/releases", Body: body, Status: 422, Has: []string{says}}.Play(t, fixture)
	}
}

func TestConfigVarsOfReleases(t *testing.T) {
	run(t, []scenario{
		{Name: "of a release", URL: "/apps/hello/releases/3/config-vars", Has: []string{`{"COLOR":"red","SECRET":"`}},
		{Name: "of the first release", URL: "/apps/hello/releases/v1/config-vars", Has: []string{`{}`}},
		{Name: "of a missing release", URL: "/apps/hello/releases/99/config-vars", Status: 404},
	})
}
