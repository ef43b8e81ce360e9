package api_test

import (
	"context"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
	"renga/store"
)

const (
	shop        = renga.AppID("20000000-0000-4000-8000-000000000003")
	third       = renga.AppID("20000000-0000-4000-8000-000000000004")
	stagingOfIt = "41000000-0000-4000-8000-000000000001"
	prodOfIt    = "41000000-0000-4000-8000-000000000002"
	pipe        = renga.PipelineID("40000000-0000-4000-8000-000000000001")
	promoted    = "50000000-0000-4000-8000-000000000001"
)

// furnished is a rig with what the rows of implemented ask for beside the app
// hello: Ada's apps shop and third, her pipeline haiku from hello to shop, and a
// promotion.
func furnished() *rig {
	rig := newRig(nil)
	rig.World.Apps[shop] = renga.App{
		ID: shop, Name: "shop", Owner: wiretest.Ada.ID, Collaborators: wiretest.With(wiretest.Carol, renga.MayView),
		CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
	}
	rig.World.Add(shop, "Initial release", renga.Inputs{})
	rig.World.Apps[third] = renga.App{
		ID: third, Name: "third", Owner: wiretest.Ada.ID, CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
	}
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web] = wiretest.Image(renga.Web, 2)
	rig.World.Add(shop, "Promote hello v3", in)
	err := rig.DB.CreatePipeline(context.Background(), renga.Pipeline{
		ID: pipe, Name: "haiku", Owner: wiretest.Ada.ID, CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
		Couplings: []renga.Coupling{
			{
				ID: stagingOfIt, App: wiretest.Hello, Stage: "staging", CreatedAt: wiretest.Born,
				UpdatedAt: wiretest.Born,
			},
			{ID: prodOfIt, App: shop, Stage: "production", CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born},
		},
	})
	if err == nil {
		err = rig.DB.AddPromotion(context.Background(), renga.Promotion{
			ID: promoted, Pipeline: pipe, Source: wiretest.Hello, Release: 3, By: wiretest.Ada.ID,
			CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
			Targets: []renga.PromotionTarget{{ID: "51000000-0000-4000-8000-000000000001", App: shop, Release: 2}},
		})
	}
	if err != nil {
		panic(err) // a rig that is not furnished says nothing
	}
	return rig
}

// promotions are those of the store, of what the world has; nobody carries them
// out.
type promotions struct {
	*wiretest.World
	*store.Store
}

func (p promotions) Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	if len(p.World.History[app]) < 3 {
		return renga.ReleaseRecord{}, renga.Errorf(renga.Invalid, "There is nothing to promote.")
	}
	return p.World.Release(ctx, app, 3)
}

func (p promotions) Promote(ctx context.Context, promotion renga.Promotion) error {
	return p.AddPromotion(ctx, promotion)
}

// play runs scenarios, each on a furnished rig of its own.
func play(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.Name, func(t *testing.T) { sc.Play(t, furnished()) })
	}
}

func TestPipelines(t *testing.T) {
	missing := []string{`{"resource":"pipeline","id":"not_found","message":"Couldn't find that pipeline."}`}
	path := "/pipelines/" + string(pipe)
	play(t, []scenario{
		{Name: "found by name", URL: "/pipelines/haiku", Has: []string{`"id":"` + string(pipe)}},
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
			Body: `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"nobody","type":"user"}}`, Status: 404,
		},
		{
			Name: "given to a team", Method: "POST", URL: "/pipeline-transfers",
			Body: `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"x","type":"team"}}`, Status: 422,
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
		return `{"app":"` + app + `","pipeline":"` + string(pipe) + `","stage":"` + stage + `"}`
	}
	play(t, []scenario{
		{
			Name: "of an app is one object", URL: "/apps/hello/pipeline-couplings",
			Has: []string{
				`{"app":{"id":"` + string(wiretest.Hello),
				`"pipeline":{"id":"` + string(pipe) + `","name":"haiku"},"stage":"staging"`,
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
			Name: "moved to no stage", Method: "PATCH", URL: "/pipeline-couplings/" + prodOfIt,
			Body: `{"stage":"moon"}`, Status: 422,
		},
		{Name: "hidden from others", URL: "/pipeline-couplings/" + prodOfIt, Headers: wiretest.AsBob, Status: 404},
	})
}

func TestATakenOutAppCanBePutElsewhere(t *testing.T) {
	rig := furnished()
	for _, step := range []scenario{
		{Method: "DELETE", URL: "/pipeline-couplings/" + stagingOfIt, Has: []string{`"stage":"staging"`}},
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
		step.Play(t, rig)
	}
}

func TestAPipelineMovesWithItsConfigVarsOnly(t *testing.T) {
	rig := furnished()
	path := "/pipelines/" + string(pipe)
	give := `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"` + string(wiretest.Bob.ID) +
		`","type":"user"}}`
	for _, step := range []scenario{
		{
			Method: "PATCH", URL: path + "/stage/review/config-vars", Body: `{"A":"1","B":"2"}`,
			Has: []string{`{"A":"1","B":"2"}`},
		},
		{Method: "PATCH", URL: path + "/stage/review/config-vars", Body: `{"A":null}`, Has: []string{`{"B":"2"}`}},
		{
			Method: "POST", URL: "/pipeline-transfers", Body: give, Status: 403,
			Has: []string{"bob@example.com may not see all apps"},
		},
		{
			Method: "POST", URL: "/apps/hello/collaborators",
			Body: `{"user":"bob@example.com","permissions":["view"]}`, Status: 201,
			Has: []string{`"email":"bob@example.com"`},
		},
		{Method: "POST", URL: "/pipeline-transfers", Body: give, Status: 403},
		{
			Method: "POST", URL: "/apps/shop/collaborators",
			Body: `{"user":"bob@example.com","permissions":["view"]}`, Status: 201,
			Has: []string{`"email":"bob@example.com"`},
		},
		{Method: "POST", URL: "/pipeline-transfers", Body: give, Status: 201, Has: []string{string(wiretest.Bob.ID)}},
		{URL: path, Has: []string{`"owner":{"id":"` + string(wiretest.Bob.ID)}}, // Ada's apps are in it still
		{
			Method: "PATCH", URL: path, Body: `{"name":"mine"}`, Status: 403,
			Has: []string{"Only the owner of the pipeline haiku"},
		},
		{URL: path + "/stage/review/config-vars", Status: 403},
		{URL: path + "/stage/review/config-vars", Headers: wiretest.AsBob, Has: []string{`{"B":"2"}`}},
		{URL: "/apps/hello/config-vars", Headers: wiretest.AsBob, Status: 403}, // the apps are not his
		{Method: "DELETE", URL: path, Headers: wiretest.AsBob, Has: []string{`"id":"` + string(pipe)}},
		{URL: path, Headers: wiretest.AsBob, Status: 404},
		{URL: "/apps/hello/pipeline-couplings", Status: 404},
	} {
		step.Play(t, rig)
	}
}

// promote is the body of a promotion from one app to others.
func promote(from renga.AppID, to ...renga.AppID) string {
	var targets []string
	for _, app := range to {
		targets = append(targets, `{"app":{"id":"`+string(app)+`"}}`)
	}
	return `{"pipeline":{"id":"` + string(pipe) + `"},"source":{"app":{"id":"` + string(from) + `"}},"targets":[` +
		strings.Join(targets, ",") + `]}`
}

// ofRelease is promote of one release of hello.
func ofRelease(release string) string {
	source := `"source":{"app":{"id":"` + string(wiretest.Hello) + `"}`
	return strings.Replace(promote(wiretest.Hello, shop), source, source+`,"release":{"id":"`+release+`"}`, 1)
}

func TestPromotionsThatAreRefused(t *testing.T) {
	ask := func(name, body, says string) scenario {
		return scenario{
			Name: name, Method: "POST", URL: "/pipeline-promotions", Body: body, Status: 422, Has: []string{says},
		}
	}
	play(t, []scenario{
		ask("no target", promote(wiretest.Hello), "Name at least one target."),
		ask("itself", promote(wiretest.Hello, wiretest.Hello), "Targets must be other apps of the pipeline haiku"),
		ask("a stranger", promote(wiretest.Hello, wiretest.Other), "Targets must be other apps of the pipeline haiku"),
		ask("from a stranger", promote(wiretest.Other, shop), "The source must be an app of the pipeline haiku"),
		ask(
			"a release that does not serve", ofRelease("v2"),
			"Only the release that serves can be promoted, which is v3, not v2",
		),
		ask("a release that is none", ofRelease("v99"), "which is v3, not v99"),
		ask("a release of a wrong name", ofRelease("newest"), "The source has no release newest."),
		ask("nothing to take", promote(shop, wiretest.Hello), "There is nothing to promote."),
		{
			Name: "another's pipeline", Method: "POST", URL: "/pipeline-promotions",
			Body: promote(wiretest.Hello, shop), Headers: wiretest.AsBob, Status: 404,
		},
		{
			Name: "unknown", URL: "/pipeline-promotions/" + prodOfIt, Status: 404,
			Has: []string{`"resource":"pipeline_promotion"`},
		},
		{Name: "hidden from others", URL: "/pipeline-promotions/" + promoted, Headers: wiretest.AsBob, Status: 404},
	})
}

func TestATargetFaresAsItsRelease(t *testing.T) {
	rig := furnished()
	at := "/pipeline-promotions/" + promoted
	scenario{
		URL: at, Has: []string{`"status":"completed"`, `"source":{"app":{"id":"` + string(wiretest.Hello)},
	}.Play(t, rig)
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
		rig.World.Outcomes[2] = step.outcome
		scenario{URL: at + "/promotion-targets", Has: step.has}.Play(t, rig)
	}
	rig.World.History[shop] = nil
	scenario{URL: at + "/promotion-targets", Has: []string{`"status":"failed"`, "is gone"}}.Play(t, rig)
}

func TestAPromotionIsPendingFirst(t *testing.T) {
	rig := furnished()
	serves := `{"app":{"id":"` + string(wiretest.Hello) + `"},"release":{"id":"` + wiretest.IDOf(t, rig, 3) + `"}}`
	res, body := rig.Ask(
		"POST", "/pipeline-promotions",
		strings.Replace(promote(wiretest.Hello, shop, shop), `{"app":{"id":"`+string(wiretest.Hello)+`"}}`, serves, 1),
		nil,
	)
	if res.StatusCode != 201 || !strings.Contains(body, `"status":"pending"`) {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	made := wiretest.Fields(t, "["+body+"]", "id")[0]
	targets := "/pipeline-promotions/" + made + "/promotion-targets"
	scenario{URL: targets, Has: []string{`"status":"pending"`, `"release":null`, `"error_message":null`}}.Play(t, rig)
	open, err := rig.DB.OpenPromotions(t.Context())
	if err != nil || len(open) != 1 || len(open[0].Targets) != 1 || open[0].Release != 3 ||
		open[0].By != wiretest.Ada.ID {
		t.Fatalf("open are %+v, %v", open, err)
	}
	open[0].Targets[0].Failure = "The app shop is being deleted."
	if err := rig.DB.SetPromotionTarget(t.Context(), made, open[0].Targets[0]); err != nil {
		t.Fatal(err)
	}
	scenario{
		URL: targets, Has: []string{`"status":"failed"`, `"error_message":"The app shop is being deleted."`},
	}.Play(t, rig)
}

func TestAppsAreFilteredByID(t *testing.T) {
	ids := `{"in":{"id":["` + string(wiretest.Hello) + `","` + string(wiretest.Other) + `","` +
		string(wiretest.Hello) + `","` + stagingOfIt + `"]}}`
	play(t, []scenario{
		{
			Name: "only those one sees", Method: "POST", URL: "/filters/apps", Body: ids,
			Headers: wiretest.Header("Range", "id ..; max=1000;"),
			Has:     []string{`[{"archived_at":`, `"name":"hello"`, `"joined":true`}, HasNot: []string{"other", "shop"},
		},
		{Name: "none asked", Method: "POST", URL: "/filters/apps", Body: `{}`, Has: []string{`[]`}},
	})
}

func TestTheLatestDeploymentBroughtTheImages(t *testing.T) {
	rig := furnished()
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web], in.Vars["A"] = wiretest.Image(renga.Web, 2), "b"
	rig.World.Add(shop, "Set A config vars", in)
	scenario{
		URL: "/pipelines/haiku/latest-deployments", Has: []string{`"version":2`}, HasNot: []string{`"version":3`},
	}.Play(t, rig)
	scenario{URL: "/pipelines/haiku/latest-releases", Has: []string{`"version":3`, `"version":4`}}.Play(t, rig)
}

// TestNobodyGetsAnImageByWayOfANeighbour: who may view one app of a pipeline
// neither couples an app of their own into it, nor gets what the pipeline's owner
// promotes, whoever may deploy to their app.
func TestNobodyGetsAnImageByWayOfANeighbour(t *testing.T) {
	couple := `{"app":"other","pipeline":"` + string(pipe) + `","stage":"production"}`
	share := func(app renga.AppID, permissions string) scenario {
		headers := map[string]string(nil)
		if app == wiretest.Other {
			headers = wiretest.AsBob
		}
		who := map[renga.AppID]string{wiretest.Other: "ada", wiretest.Hello: "bob", shop: "bob"}[app]
		return scenario{Method: "POST", URL: "/apps/" + string(app) + "/collaborators", Headers: headers, Status: 201,
			Has:  []string{`"email":"` + who},
			Body: `{"user":"` + who + `@example.com","permissions":[` + permissions + `]}`}
	}
	const (
		noMember = "Only the owner of the pipeline haiku, or who may deploy to all of its apps"
		noGain   = "may not see all apps of the pipeline haiku"
	)
	rig := furnished()
	for _, step := range []scenario{
		share(shop, `"view"`), share(wiretest.Other, `"deploy","operate"`),
		{
			Method: "POST", URL: "/pipeline-couplings", Headers: wiretest.AsBob, Body: couple, Status: 403,
			Has: []string{noMember},
		},
		// not by Ada either
		{Method: "POST", URL: "/pipeline-couplings", Body: couple, Status: 403, Has: []string{noGain}},
	} {
		step.Play(t, rig)
	}
	_, err := rig.DB.UpdatePipeline(t.Context(), pipe, func(p *renga.Pipeline) error { // as it once was possible
		p.Couplings = append(
			p.Couplings,
			renga.Coupling{
				ID: "41000000-0000-4000-8000-000000000009", App: wiretest.Other, Stage: "production",
				CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
			},
		)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused := scenario{Method: "POST", URL: "/pipeline-promotions", Body: promote(wiretest.Hello, shop, wiretest.Other), Status: 403,
		Has: []string{"Whoever owns the app other may not see the app hello"}}
	refused.Play(t, rig)
	if open, err := rig.DB.OpenPromotions(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("promoted all the same: %+v, %v", open, err)
	}
	share(wiretest.Hello, `"view"`).Play(t, rig)
	refused.Status, refused.Has = 201, []string{`"status":"pending"`}
	refused.Play(t, rig) // Bob may pull the image himself
}

// TestWhoDeploysToAllAppsOfAPipelineAddsOne as its owner does.
func TestWhoDeploysToAllAppsOfAPipelineAddsOne(t *testing.T) {
	rig := furnished()
	for _, app := range []renga.AppID{wiretest.Hello, shop} {
		a := rig.World.Apps[app]
		a.Collaborators = wiretest.With(wiretest.Bob, renga.MayDeploy)
		rig.World.Apps[app] = a
	}
	scenario{Method: "POST", URL: "/pipeline-couplings", Headers: wiretest.AsBob, Status: 201,
		Has:  []string{`"app":{"id":"` + string(wiretest.Other)},
		Body: `{"app":"other","pipeline":"` + string(pipe) + `","stage":"development"}`}.Play(t, rig)
}
