package dynos_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

// standard2X is the id of the size Standard-2X.
const standard2X = "cbc084c2-e64a-5d5d-878c-8c3bb452d6c5"

func TestFormation(t *testing.T) {
	batch := func(name, updates string, status int, has ...string) scenario {
		return scenario{
			Name: name, Method: "PATCH", URL: "/apps/hello/formation", Body: `{"updates":` + updates + `}`,
			Status: status, Has: has,
		}
	}
	one := func(name, body string, status int, has ...string) scenario {
		return scenario{
			Name: name, Method: "PATCH", URL: "/apps/hello/formation/web", Body: body, Status: status, Has: has,
		}
	}
	run(t, []scenario{
		{
			Name: "list, web first, with types never scaled", URL: "/apps/hello/formation",
			Has: []string{
				`[{"app":`, `"quantity":1,"size":"Standard-1X","type":"web"`,
				`"quantity":0,"size":"Standard-1X","type":"worker"`, `"command":"/bin/app --say 'it is'"`,
			},
		},
		{Name: "info", URL: "/apps/hello/formation/web", Has: []string{`"type":"web"`}},
		{
			Name: "info of an unknown type", URL: "/apps/hello/formation/clock", Status: 404,
			Has: []string{`{"resource":"process_type","id":"not_found","message":"Couldn't find that process type."}`},
		},
		{Name: "of another", URL: "/apps/other/formation", Status: 403},
		batch(
			"several at once answer the whole",
			`[{"type":"web","quantity":3},{"type":"worker","quantity":2,"size":"STANDARD-2x"}]`, 200,
			`"quantity":3,"size":"Standard-1X","type":"web"`, `"quantity":2,"size":"Standard-2X","type":"worker"`,
		),
		batch(
			"size alone", `[{"type":"web","size":"performance-M"}]`, 200,
			`"quantity":1,"size":"Performance-M","type":"web"`,
		),
		batch("quantity as the CLI sends it", `[{"type":"web","quantity":"2"}]`, 200, `"quantity":2`),
		batch("more", `[{"type":"web","quantity":"+2"}]`, 200, `"quantity":3`),
		batch("fewer", `[{"type":"web","quantity":"-1"}]`, 200, `"quantity":0,"size":"Standard-1X","type":"web"`),
		batch("fewer than none", `[{"type":"web","quantity":"-2"}]`, 422, `this would be -1`),
		batch("unknown type", `[{"type":"clock","quantity":1}]`, 404, `Couldn't find that process type.`),
		batch("no type", `[{"quantity":1}]`, 404),
		batch("nothing", `[]`, 422, `at least one process type`),
		batch("no list", `{"web":1}`, 422, `Field \"updates\" must be an array.`),
		batch(
			"an image that nobody pushed", `[{"type":"web","docker_image":"sha256:1"}]`, 422,
			`No image sha256:1 was pushed to hello/web.`,
		),
		batch("an image that is none", `[{"type":"web","docker_image":7}]`, 422, `Field \"docker_image\" must be`),
		batch("an image for a name that is none", `[{"type":"We b","docker_image":"fresh"}]`, 422, `is invalid`),
		batch(
			"an image for a new type", `[{"type":"clock","docker_image":"fresh"}]`, 200,
			`"quantity":0,"size":"Standard-1X","type":"clock"`, `"type":"web"`,
		),
		batch(
			"an image with numbers", `[{"type":"clock","docker_image":"fresh","quantity":2,"size":"eco"}]`, 200,
			`"quantity":2,"size":"Eco","type":"clock"`,
		),
		batch(
			"no image to take away", `[{"type":"clock","docker_image":null}]`, 404,
			`Couldn't find that process type.`,
		),
		one("image", `{"docker_image":"fresh"}`, 200, `"type":"web"`, `"quantity":1`),
		one("no image any more", `{"docker_image":null}`, 200, `"type":"web"`, `"quantity":0`),
		{
			Name: "a release command is not scaled", Prepare: wiretest.WithPhase, Method: "PATCH",
			URL: "/apps/hello/formation/release", Body: `{"quantity":1}`, Status: 422,
			Has: []string{`runs once for each release`},
		},
		{
			Name: "but has a size", Prepare: wiretest.WithPhase, Method: "PATCH",
			URL: "/apps/hello/formation/release", Body: `{"quantity":0,"size":"eco"}`,
			Has: []string{`"quantity":0,"size":"Eco","type":"release"`},
		},
		one("quantity", `{"quantity":100}`, 200, `"quantity":100`),
		one("too many", `{"quantity":101}`, 422, `from 0 to 100`),
		one("negative", `{"quantity":-1}`, 422, `from 0 to 100`),
		one("fraction", `{"quantity":1.5}`, 422, `whole number`),
		one("exponent", `{"quantity":1e1}`, 422, `whole number`),
		one("huge", `{"quantity":99999999999999999999}`, 422, `whole number`),
		one("no number", `{"quantity":"many"}`, 422, `whole number`),
		one("empty", `{"quantity":""}`, 422, `whole number`),
		one("true", `{"quantity":true}`, 422, `whole number`),
		one("unknown size", `{"size":"huge"}`, 422, `The sizes are Eco, Standard-1X, Standard-2X, Performance-M.`),
		one(
			"size by name", `{"dyno_size":{"name":"standard-2x"}}`, 200, `"size":"Standard-2X"`,
			`"dyno_size":{"id":"`+standard2X+`","name":"Standard-2X"}`,
		),
		one("size by id", `{"dyno_size":{"id":"`+standard2X+`"}}`, 200, `"quantity":1,"size":"Standard-2X"`),
		one(
			"size in both ways", `{"size":"STANDARD-2X","dyno_size":{"id":"`+standard2X+`","name":"standard-2x"}}`,
			200, `"size":"Standard-2X"`,
		),
		one("two sizes", `{"size":"eco","dyno_size":{"name":"standard-2x"}}`, 422, `two sizes, Eco and Standard-2X`),
		one("no size", `{"dyno_size":{}}`, 422, `\"dyno_size\" must have the name of a size`),
		one("unknown size by name", `{"dyno_size":{"name":"huge"}}`, 422, `The sizes are`),
		one("unknown size by id", `{"dyno_size":{"id":"`+wiretest.OfferID+`"}}`, 422, `The sizes are`),
		one("as it was", `{"dyno_size":null}`, 200, `"size":"Standard-1X"`),
		batch(
			"sizes of several",
			`[{"type":"web","dyno_size":{"name":"eco"}},{"type":"worker","dyno_size":{"id":"`+standard2X+`"}}]`, 200,
			`"quantity":1,"size":"Eco","type":"web"`, `"quantity":0,"size":"Standard-2X","type":"worker"`,
		),
		one("size no string", `{"size":1}`, 422, `Field \"size\" must be a string.`),
		one("nothing", `{}`, 200, `"quantity":1`),
	})
}

// TestOneDynoWritesADiskAlone checks that a process type with such a disk has one
// dyno at most.
func TestOneDynoWritesADiskAlone(t *testing.T) {
	scaling := func(name, updates string, shared bool, status int, has string) scenario {
		return scenario{
			Name: name, Method: "PATCH", URL: "/apps/hello/formation", Body: `{"updates":` + updates + `}`, Status: status,
			Has: []string{has},
			Prepare: func(s *wiretest.Seed) {
				s.Releases[wiretest.Hello][3].Inputs.Credentials = map[renga.AddOnID]renga.Credentials{"disk": {
					Mounts: []renga.Mount{{Volume: "v", Path: "/data", Types: []renga.ProcessType{"web"}, Shared: shared}},
				}}
			},
		}
	}
	run(t, []scenario{
		scaling("two", `[{"type":"web","quantity":2}]`, false, 422, `a disk at /data that one dyno writes alone`),
		scaling("one more", `[{"type":"worker","quantity":4},{"type":"web","quantity":"+1"}]`, false, 422, `one dyno at most`),
		scaling("none, and others", `[{"type":"web","quantity":0},{"type":"worker","quantity":4}]`, false, 200, `"quantity":4`),
		scaling("another size", `[{"type":"web","size":"eco"}]`, false, 200, `"size":"Eco"`),
		scaling("two that may", `[{"type":"web","quantity":2}]`, true, 200, `"quantity":2`),
	})
}

func TestScalingIsAllOrNothing(t *testing.T) {
	for _, second := range []string{
		`{"type":"worker","docker_image":"none"}`, `{"type":"clock","quantity":1}`, `{"type":"worker","quantity":-1}`,
		`{"type":"worker","size":"huge"}`,
	} {
		fixture := newFixture()
		body := `{"updates":[{"type":"web","quantity":5},` + second + `]}`
		if res, answer := fixture.Ask("PATCH", "/apps/hello/formation", body, nil); res.StatusCode < 400 {
			t.Errorf("%s gets %d: %s", second, res.StatusCode, answer)
		}
		if web, _ := fixture.Scale(t, renga.Web); web.Quantity != 1 || len(fixture.Reconciled) != 0 {
			t.Errorf("%s changed something", second)
		}
	}
}

func TestImagesAreReleasedThroughTheFormation(t *testing.T) {
	fixture := newFixture()
	ask := func(method, path, body string) string {
		t.Helper()
		res, answer := fixture.Ask(method, path, body, nil)
		if res.StatusCode != 200 {
			t.Fatalf("%s %s: %s", method, body, answer)
		}
		return answer
	}
	same := wiretest.Image(renga.Web, 4).Digest
	ask("PATCH", "/apps/hello/formation", `{"updates":[{"type":"web","docker_image":"`+same+`"}]}`)
	if n := fixture.Versions(t, wiretest.Hello); n != 4 {
		t.Errorf("what runs anyway made release %d", n)
	}
	ask(
		"PATCH", "/apps/hello/formation",
		`{"updates":[{"type":"web","docker_image":"fresh"},{"type":"clock","docker_image":"fresh"}]}`,
	)
	ask("PATCH", "/apps/hello/formation/web", `{"docker_image":null}`)
	if n := fixture.Versions(t, wiretest.Hello); n != 6 {
		t.Errorf("two changes end with release %d", n)
	}
	if formation := ask("GET", "/apps/hello/formation", ""); strings.Contains(formation, `"type":"web"`) ||
		!strings.Contains(formation, `"type":"clock"`) {
		t.Errorf("the formation is %s", formation)
	}
	if _, kept := fixture.Scale(t, renga.Web); kept {
		t.Error("a type that was taken away is still scaled")
	}
}

func TestScalingReconcilesTheAppAndKeepsWhatIsNotNamed(t *testing.T) {
	fixture := newFixture()
	if res, body := fixture.Ask(
		"PATCH", "/apps/hello/formation", `{"updates":[{"type":"web","quantity":2}]}`, nil,
	); res.StatusCode != 200 {
		t.Fatal(body)
	}
	web, _ := fixture.Scale(t, renga.Web)
	if web.Quantity != 2 || web.Size != "standard-1x" || !web.CreatedAt.Equal(wiretest.Born) {
		t.Errorf("web is %+v", web)
	}
	if _, named := fixture.Scale(t, "worker"); named {
		t.Error("a type that was not named got an entry")
	}
	if !slices.Equal(fixture.Reconciled, []renga.AppID{wiretest.Hello}) {
		t.Errorf("reconciled: %v", fixture.Reconciled)
	}
}

func TestProcessTypesAreFoundByTheirID(t *testing.T) {
	fixture := newFixture()
	id := wiretest.Listed(t, fixture, "/apps/hello/formation", "", "id")[1]
	if _, body := fixture.Ask(
		"PATCH", "/apps/hello/formation/"+id, `{"quantity":4}`, nil,
	); !strings.Contains(body, `"type":"worker"`) {
		t.Errorf("by path: %s", body)
	}
	if _, body := fixture.Ask(
		"PATCH", "/apps/hello/formation", `{"updates":[{"type":"`+id+`","quantity":5}]}`, nil,
	); !strings.Contains(body, `"quantity":5`) {
		t.Errorf("in a batch: %s", body)
	}
}

func TestDynos(t *testing.T) {
	restarted := func(key string) func(*testing.T, *fixture, *http.Response) {
		return func(t *testing.T, r *fixture, res *http.Response) {
			if !slices.Equal(r.Restarts(t), []string{key}) || len(r.Reconciled) != 1 {
				t.Errorf("restarted %v, reconciled %v", r.Restarts(t), r.Reconciled)
			}
			wiretest.Audited("dynos restarted")(t, r, res)
		}
	}
	run(t, []scenario{
		{Name: "list in order", URL: "/apps/hello/dynos", Has: []string{
			`"attach_url":null`, `"state":"up"`, `"command":"/bin/app 'it'\\''s'"`, `"release":{"id":"`,
		}, After: func(t *testing.T, r *fixture, _ *http.Response) {
			if got := wiretest.Listed(
				t, r, "/apps/hello/dynos", "", "name",
			); !slices.Equal(got, []string{"web.1", "web.2"}) {
				t.Errorf("order is %v", got)
			}
		}},
		{
			Name: "none", URL: "/apps/hello/dynos", Prepare: func(s *wiretest.Seed) { s.Dynos = nil },
			Has: []string{`[]`},
		},
		{Name: "by name", URL: "/apps/hello/dynos/web.2", Has: []string{`"name":"web.2"`}},
		{Name: "by id", URL: "/apps/hello/dynos/30000000-0000-4000-8000-000000000001", Has: []string{`"name":"web.1"`}},
		{Name: "unknown", URL: "/apps/hello/dynos/web.9", Status: 404, Has: []string{`Couldn't find that dyno.`}},
		{Name: "newer of two", URL: "/apps/hello/dynos/web.1", Prepare: func(s *wiretest.Seed) {
			newer := s.Dynos[1]
			newer.Release, newer.Created = 4, newer.Created.Add(1)
			s.Dynos = append([]renga.Dyno{newer}, s.Dynos...)
		}, Has: []string{`"version":4`}},
		{
			Name: "restart one", Method: "DELETE", URL: "/apps/hello/dynos/web.1", Status: 202, Has: []string{`{}`},
			After: restarted("web.1"),
		},
		{
			Name: "restart all", Method: "DELETE", URL: "/apps/hello/dynos", Status: 202, Has: []string{`{}`},
			After: restarted(renga.RestartAll),
		},
		{
			Name: "restart a process type", Method: "DELETE", URL: "/apps/hello/formations/worker", Status: 202,
			Has: []string{`{}`}, After: restarted("worker"),
		},
		{Name: "restart an unknown one", Method: "DELETE", URL: "/apps/hello/dynos/web.9", Status: 404},
		{Name: "restart an unknown type", Method: "DELETE", URL: "/apps/hello/formations/clock", Status: 404},
		{Name: "restart of another", Method: "DELETE", URL: "/apps/other/dynos", Status: 403},
	})
}

func TestScalingIsInTheLog(t *testing.T) {
	fixture := newFixture()
	fixture.Ask(
		"PATCH", "/apps/hello/formation",
		`{"updates":[{"type":"web","quantity":2},{"type":"worker","quantity":1,"size":"eco"}]}`, nil,
	)
	want := "Scaled to web@2:Standard-1X worker@1:Eco by " + string(wiretest.Ada.ID)
	if !slices.Equal(fixture.Noted, []string{want}) {
		t.Errorf("the log says %q, want %q", fixture.Noted, want)
	}
}

func TestTheFormationReleasesImagesAsCanaries(t *testing.T) {
	for url, body := range map[string]string{
		"/apps/hello/formation":     `{"updates":[{"type":"web","docker_image":"fresh"}],"canary":{"percent":5}}`,
		"/apps/hello/formation/web": `{"docker_image":"fresh","canary":{"percent":5}}`,
	} {
		fixture := newFixture()
		res, answer := fixture.Ask("PATCH", url, body, nil)
		if got := fixture.Record(t, wiretest.Hello, 5).Canary; res.StatusCode != 200 ||
			got != (renga.Canary{Percent: 5, For: 5 * time.Minute}) {
			t.Errorf("%s: %d %s, canary %+v", url, res.StatusCode, answer, got)
		}
	}
}
