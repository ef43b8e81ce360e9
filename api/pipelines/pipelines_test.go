package pipelines_test

import (
	"strings"
	"testing"

	"renga"
	"renga/api/wire"
	"renga/api/wire/wiretest"
)

func TestPipelines(t *testing.T) {
	missing := []string{`{"resource":"pipeline","id":"not_found","message":"Couldn't find that pipeline."}`}
	path := "/pipelines/" + string(wiretest.PipelineID)
	play(t, []scenario{
		{Name: "found by name", URL: "/pipelines/haiku", Has: []string{`"id":"` + string(wiretest.PipelineID)}},
		{
			Name: "listed", URL: "/pipelines",
			Has: []string{`"name":"haiku"`, `"owner":{"id":"` + string(wiretest.Ada.ID) + `","type":"user"}`},
		},
		{Name: "looked up", URL: "/pipelines?eq[name]=haiku", Has: []string{`"name":"haiku"`}},
		{Name: "looked up in vain", URL: "/pipelines?eq[name]=nope", Has: []string{`[]`}},
		{Name: "not others'", URL: "/pipelines", Headers: wiretest.AsBob, Has: []string{`[]`}},
		{Name: "hidden from others", URL: path, Headers: wiretest.AsBob, Status: 404, Has: missing},
		{Name: "kept from others", Method: "DELETE", URL: path, Headers: wiretest.AsBob, Status: 404, Has: missing},
		{
			Name: "made", Method: "POST", URL: "/pipelines",
			Body: `{"name":"other","generation":{"name":"cedar"},"owner":{"id":"` + string(wiretest.Ada.ID) +
				`","type":"user"}}`,
			Status: 201, Has: []string{`"name":"other"`},
		},
		{
			Name: "made by another", Method: "POST", URL: "/pipelines", Body: `{"name":"haiku"}`,
			Headers: wiretest.AsBob, Status: 201,
			Has: []string{`"name":"haiku"`, `"owner":{"id":"` + string(wiretest.Bob.ID)},
		},
		{
			Name: "made twice", Method: "POST", URL: "/pipelines", Body: `{"name":"haiku"}`, Status: 422,
			Has: []string{"You already have a pipeline named haiku."},
		},
		{
			Name: "made without a name", Method: "POST", URL: "/pipelines", Status: 422,
			Has: []string{"must start with a letter"},
		},
		{
			Name: "made for another", Method: "POST", URL: "/pipelines",
			Body: `{"name":"other","owner":{"id":"` + string(wiretest.Bob.ID) + `","type":"user"}}`, Status: 422,
		},
		{Name: "renamed badly", Method: "PATCH", URL: path, Body: `{"name":"No"}`, Status: 422},
		{
			Name: "given to nobody", Method: "POST", URL: "/pipeline-transfers",
			Body:   `{"pipeline":{"id":"` + string(wiretest.PipelineID) + `"},"new_owner":{"id":"nobody","type":"user"}}`,
			Status: 404,
		},
		{
			Name: "given to a team", Method: "POST", URL: "/pipeline-transfers",
			Body:   `{"pipeline":{"id":"` + string(wiretest.PipelineID) + `"},"new_owner":{"id":"x","type":"team"}}`,
			Status: 422,
		},
		{Name: "vars of no stage", URL: path + "/stage/moon/config-vars", Status: 404},
		{
			Name: "vars that cannot be", Method: "PATCH", URL: path + "/stage/test/config-vars", Body: `{"1":"x"}`,
			Status: 422,
		},
	})
}

func TestCouplings(t *testing.T) {
	couple := func(app, stage string) string {
		return `{"app":"` + app + `","pipeline":"` + string(wiretest.PipelineID) + `","stage":"` + stage + `"}`
	}
	play(t, []scenario{
		{
			Name: "of an app is one object", URL: "/apps/hello/pipeline-couplings",
			Has: []string{
				`{"app":{"id":"` + string(wiretest.Hello),
				`"pipeline":{"id":"` + string(wiretest.PipelineID) + `","name":"haiku"},"stage":"staging"`,
			},
		},
		{
			Name: "of an app without", URL: "/apps/other/pipeline-couplings", Headers: wiretest.AsBob, Status: 404,
			Has: []string{`"resource":"pipeline_coupling"`},
		},
		{
			Name: "twice", Method: "POST", URL: "/pipeline-couplings", Body: couple("hello", "production"),
			Status: 422, Has: []string{"in the pipeline haiku already"},
		},
		{
			Name: "of another's app", Method: "POST", URL: "/pipeline-couplings", Body: couple("other", "staging"),
			Status: 403,
		},
		{
			Name: "in another's pipeline", Method: "POST", URL: "/pipeline-couplings",
			Body: couple("other", "staging"), Headers: wiretest.AsBob, Status: 404,
		},
		{Name: "at no stage", Method: "POST", URL: "/pipeline-couplings", Body: couple("hello", "moon"), Status: 422},
		{
			Name: "moved to no stage", Method: "PATCH", URL: "/pipeline-couplings/" + wiretest.ProductionID,
			Body: `{"stage":"moon"}`, Status: 422,
		},
		{
			Name: "hidden from others", URL: "/pipeline-couplings/" + wiretest.ProductionID, Headers: wiretest.AsBob,
			Status: 404,
		},
	})
}

func TestAnAppCanChangeItsPipeline(t *testing.T) {
	fixture := newFull()
	for _, step := range []scenario{
		{Method: "DELETE", URL: "/pipeline-couplings/" + wiretest.StagingID, Has: []string{`"stage":"staging"`}},
		{URL: "/apps/hello/pipeline-couplings", Status: 404},
		{Method: "POST", URL: "/pipelines", Body: `{"name":"second"}`, Status: 201, Has: []string{`"name":"second"`}},
		{URL: "/pipelines/second/pipeline-couplings", Has: []string{`[]`}},
		{
			Method: "POST", URL: "/pipeline-couplings",
			Body: `{"app":"` + string(wiretest.Hello) + `","pipeline":"second","stage":"test"}`, Status: 201,
			Has: []string{`"stage":"test"`},
		},
		{URL: "/apps/hello/pipeline-couplings", Has: []string{`"stage":"test"`, `"name":"second"`}},
	} {
		step.Play(t, fixture)
	}
}

func TestPromotionsThatAreRefused(t *testing.T) {
	ask := func(name, body, says string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/pipeline-promotions", Body: body, Status: 422, Has: []string{says},
		}
	}
	play(t, []scenario{
		ask("no target", wiretest.Promote(wiretest.Hello), "Name at least one target."),
		ask(
			"itself", wiretest.Promote(wiretest.Hello, wiretest.Hello),
			"Targets must be other apps of the pipeline haiku",
		),
		ask(
			"a stranger", wiretest.Promote(wiretest.Hello, wiretest.Other),
			"Targets must be other apps of the pipeline haiku",
		),
		ask(
			"from a stranger", wiretest.Promote(wiretest.Other, wiretest.Shop),
			"The source must be an app of the pipeline haiku",
		),
		ask(
			"a release that does not serve", wiretest.OfRelease("v2"),
			"Only the release that serves can be promoted, which is v3, not v2",
		),
		ask("a release that is none", wiretest.OfRelease("v99"), "which is v3, not v99"),
		ask("a release of a wrong name", wiretest.OfRelease("newest"), "The source has no release newest."),
		{
			Name: "nothing to take", Method: "POST", URL: "/pipeline-promotions",
			Prepare: func(s *wiretest.Seed) { s.Releases[wiretest.Shop] = s.Releases[wiretest.Shop][:1] },
			Body:    wiretest.Promote(wiretest.Shop, wiretest.Hello), Status: 422, Has: []string{"so there is nothing to promote."},
		},
		{
			Name: "another's pipeline", Method: "POST", URL: "/pipeline-promotions",
			Body: wiretest.Promote(wiretest.Hello, wiretest.Shop), Headers: wiretest.AsBob, Status: 404,
		},
		{
			Name: "unknown", URL: "/pipeline-promotions/" + wiretest.ProductionID, Status: 404,
			Has: []string{`"resource":"pipeline_promotion"`},
		},
		{
			Name: "hidden from others", URL: "/pipeline-promotions/" + wiretest.PromotionID, Headers: wiretest.AsBob,
			Status: 404,
		},
	})
}

func TestATargetHasTheStatusOfItsRelease(t *testing.T) {
	at := "/pipeline-promotions/" + wiretest.PromotionID
	scenario{
		URL: at, Has: []string{`"status":"completed"`, `"source":{"app":{"id":"` + string(wiretest.Hello)},
	}.Play(t, newFull())
	for _, step := range []struct {
		outcome renga.Outcome
		has     []string
	}{
		{
			renga.Outcome{Status: renga.Pending},
			[]string{`"status":"pending"`, `"error_message":null`, `"release":{"id":"`},
		},
		{
			renga.Outcome{Status: renga.Failed, Reason: "web.1 exited with status 1."},
			[]string{`"status":"failed"`, `"error_message":"web.1 exited with status 1."`},
		},
		{renga.Outcome{Status: renga.Superseded}, []string{`"status":"succeeded"`, `"error_message":null`}},
	} {
		scenario{URL: at + "/promotion-targets", Has: step.has}.Play(t, newFull(func(s *wiretest.Seed) {
			s.Releases[wiretest.Shop][1].Outcome = step.outcome
		}))
	}
	fixture := newFull()
	if err := fixture.DB.RemoveApp(t.Context(), wiretest.Shop); err != nil {
		t.Fatal(err)
	}
	scenario{URL: at + "/promotion-targets", Has: []string{`"status":"failed"`, "is gone"}}.Play(t, fixture)
}

func TestAPromotionIsPendingFirst(t *testing.T) {
	fixture := newFull()
	serves := `{"app":{"id":"` + string(wiretest.Hello) + `"},"release":{"id":"` + wire.ReleaseID(wiretest.Hello, 3) +
		`"}}`
	res, body := fixture.Ask(
		"POST", "/pipeline-promotions",
		strings.Replace(
			wiretest.Promote(wiretest.Hello, wiretest.Shop, wiretest.Shop),
			`{"app":{"id":"`+string(wiretest.Hello)+`"}}`, serves, 1,
		),
		nil,
	)
	if res.StatusCode != 201 || !strings.Contains(body, `"status":"pending"`) {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	made := wiretest.Fields(t, "["+body+"]", "id")[0]
	targets := "/pipeline-promotions/" + made + "/promotion-targets"
	scenario{URL: targets, Has: []string{`"status":"pending"`, `"release":null`, `"error_message":null`}}.Play(t, fixture)
	open, err := fixture.DB.OpenPromotions(t.Context())
	if err != nil || len(open) != 1 || len(open[0].Targets) != 1 || open[0].Release != 3 ||
		open[0].By != wiretest.Ada.ID {
		t.Fatalf("open are %+v, %v", open, err)
	}
	open[0].Targets[0].Failure = "The app shop is being deleted."
	if err := fixture.DB.SetPromotionTarget(t.Context(), made, open[0].Targets[0]); err != nil {
		t.Fatal(err)
	}
	scenario{
		URL: targets, Has: []string{`"status":"failed"`, `"error_message":"The app shop is being deleted."`},
	}.Play(t, fixture)
}

func TestTheLatestDeploymentBroughtTheImages(t *testing.T) {
	fixture := newFull()
	if _, err := fixture.Releaser.Change(t.Context(), wiretest.Shop, renga.Change{Edit: func(in *renga.Inputs) error {
		in.Vars["A"] = "b"
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	scenario{
		URL: "/pipelines/haiku/latest-deployments", Has: []string{`"version":2`}, HasNot: []string{`"version":3`},
	}.Play(t, fixture)
	scenario{URL: "/pipelines/haiku/latest-releases", Has: []string{`"version":3`, `"version":4`}}.Play(t, fixture)
}
