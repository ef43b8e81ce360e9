package api_test

import (
	"context"
	"strings"
	"testing"

	"renga"
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
	rig.world.apps[shop] = renga.App{ID: shop, Name: "shop", Owner: ada.ID, Collaborators: with(carol, renga.MayView), CreatedAt: born, UpdatedAt: born}
	rig.world.add(shop, "Initial release", renga.Inputs{})
	rig.world.apps[third] = renga.App{ID: third, Name: "third", Owner: ada.ID, CreatedAt: born, UpdatedAt: born}
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web] = image(renga.Web, 2)
	rig.world.add(shop, "Promote hello v3", in)
	err := rig.db.CreatePipeline(context.Background(), renga.Pipeline{
		ID: pipe, Name: "haiku", Owner: ada.ID, CreatedAt: born, UpdatedAt: born,
		Couplings: []renga.Coupling{
			{ID: stagingOfIt, App: hello, Stage: "staging", CreatedAt: born, UpdatedAt: born},
			{ID: prodOfIt, App: shop, Stage: "production", CreatedAt: born, UpdatedAt: born},
		},
	})
	if err == nil {
		err = rig.db.AddPromotion(context.Background(), renga.Promotion{
			ID: promoted, Pipeline: pipe, Source: hello, Release: 3, By: ada.ID, CreatedAt: born, UpdatedAt: born,
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
	*world
	*store.Store
}

func (p promotions) Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	if len(p.world.releases[app]) < 3 {
		return renga.ReleaseRecord{}, renga.Errorf(renga.Invalid, "There is nothing to promote.")
	}
	return p.world.Release(ctx, app, 3)
}

func (p promotions) Promote(ctx context.Context, promotion renga.Promotion) error {
	return p.AddPromotion(ctx, promotion)
}

// play runs scenarios, each on a furnished rig of its own.
func play(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { sc.play(t, furnished()) })
	}
}

var asBob = header("Authorization", "Bearer bob-token")

func TestPipelines(t *testing.T) {
	missing := []string{`{"resource":"pipeline","id":"not_found","message":"Couldn't find that pipeline."}`}
	path := "/pipelines/" + string(pipe)
	play(t, []scenario{
		{name: "found by name", url: "/pipelines/haiku", has: []string{`"id":"` + string(pipe)}},
		{name: "listed", url: "/pipelines", has: []string{`"name":"haiku"`, `"owner":{"id":"` + string(ada.ID) + `","type":"user"}`}},
		{name: "looked up", url: "/pipelines?eq[name]=haiku", has: []string{`"name":"haiku"`}},
		{name: "looked up in vain", url: "/pipelines?eq[name]=nope", has: []string{`[]`}},
		{name: "not others'", url: "/pipelines", headers: asBob, has: []string{`[]`}},
		{name: "hidden from others", url: path, headers: asBob, status: 404, has: missing},
		{name: "kept from others", method: "DELETE", url: path, headers: asBob, status: 404, has: missing},
		{name: "made", method: "POST", url: "/pipelines", body: `{"name":"other","generation":{"name":"cedar"},"owner":{"id":"` + string(ada.ID) + `","type":"user"}}`, status: 201, has: []string{`"name":"other"`}},
		{name: "made by another", method: "POST", url: "/pipelines", body: `{"name":"haiku"}`, headers: asBob, status: 201, has: []string{`"name":"haiku"`, `"owner":{"id":"` + string(bob.ID)}},
		{name: "made twice", method: "POST", url: "/pipelines", body: `{"name":"haiku"}`, status: 422, has: []string{"You already have a pipeline named haiku."}},
		{name: "made without a name", method: "POST", url: "/pipelines", status: 422, has: []string{"must start with a letter"}},
		{name: "made for another", method: "POST", url: "/pipelines", body: `{"name":"other","owner":{"id":"` + string(bob.ID) + `","type":"user"}}`, status: 422},
		{name: "renamed badly", method: "PATCH", url: path, body: `{"name":"No"}`, status: 422},
		{name: "given to nobody", method: "POST", url: "/pipeline-transfers", body: `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"nobody","type":"user"}}`, status: 404},
		{name: "given to a team", method: "POST", url: "/pipeline-transfers", body: `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"x","type":"team"}}`, status: 422},
		{name: "vars of no stage", url: path + "/stage/moon/config-vars", status: 404},
		{name: "vars that cannot be", method: "PATCH", url: path + "/stage/test/config-vars", body: `{"1":"x"}`, status: 422},
	})
}

func TestCouplings(t *testing.T) {
	couple := func(app, stage string) string {
		return `{"app":"` + app + `","pipeline":"` + string(pipe) + `","stage":"` + stage + `"}`
	}
	play(t, []scenario{
		{name: "of an app is one object", url: "/apps/hello/pipeline-couplings", has: []string{`{"app":{"id":"` + string(hello), `"pipeline":{"id":"` + string(pipe) + `","name":"haiku"},"stage":"staging"`}},
		{name: "of an app without", url: "/apps/other/pipeline-couplings", headers: asBob, status: 404, has: []string{`"resource":"pipeline_coupling"`}},
		{name: "twice", method: "POST", url: "/pipeline-couplings", body: couple("hello", "production"), status: 422, has: []string{"in the pipeline haiku already"}},
		{name: "of another's app", method: "POST", url: "/pipeline-couplings", body: couple("other", "staging"), status: 403},
		{name: "in another's pipeline", method: "POST", url: "/pipeline-couplings", body: couple("other", "staging"), headers: asBob, status: 404},
		{name: "at no stage", method: "POST", url: "/pipeline-couplings", body: couple("hello", "moon"), status: 422},
		{name: "moved to no stage", method: "PATCH", url: "/pipeline-couplings/" + prodOfIt, body: `{"stage":"moon"}`, status: 422},
		{name: "hidden from others", url: "/pipeline-couplings/" + prodOfIt, headers: asBob, status: 404},
	})
}

func TestATakenOutAppCanBePutElsewhere(t *testing.T) {
	rig := furnished()
	for _, step := range []scenario{
		{method: "DELETE", url: "/pipeline-couplings/" + stagingOfIt, has: []string{`"stage":"staging"`}},
		{url: "/apps/hello/pipeline-couplings", status: 404},
		{method: "POST", url: "/pipelines", body: `{"name":"second"}`, status: 201, has: []string{`"name":"second"`}},
		{url: "/pipelines/second/pipeline-couplings", has: []string{`[]`}},
		{method: "POST", url: "/pipeline-couplings", body: `{"app":"` + string(hello) + `","pipeline":"second","stage":"test"}`, status: 201, has: []string{`"stage":"test"`}},
		{url: "/apps/hello/pipeline-couplings", has: []string{`"stage":"test"`, `"name":"second"`}},
	} {
		step.play(t, rig)
	}
}

func TestAPipelineMovesWithItsConfigVarsOnly(t *testing.T) {
	rig := furnished()
	path := "/pipelines/" + string(pipe)
	give := `{"pipeline":{"id":"` + string(pipe) + `"},"new_owner":{"id":"` + string(bob.ID) + `","type":"user"}}`
	for _, step := range []scenario{
		{method: "PATCH", url: path + "/stage/review/config-vars", body: `{"A":"1","B":"2"}`, has: []string{`{"A":"1","B":"2"}`}},
		{method: "PATCH", url: path + "/stage/review/config-vars", body: `{"A":null}`, has: []string{`{"B":"2"}`}},
		{method: "POST", url: "/pipeline-transfers", body: give, status: 403, has: []string{"bob@example.com may not see all apps"}},
		{method: "POST", url: "/apps/hello/collaborators", body: `{"user":"bob@example.com","permissions":["view"]}`, status: 201, has: []string{`"email":"bob@example.com"`}},
		{method: "POST", url: "/pipeline-transfers", body: give, status: 403},
		{method: "POST", url: "/apps/shop/collaborators", body: `{"user":"bob@example.com","permissions":["view"]}`, status: 201, has: []string{`"email":"bob@example.com"`}},
		{method: "POST", url: "/pipeline-transfers", body: give, status: 201, has: []string{string(bob.ID)}},
		{url: path, has: []string{`"owner":{"id":"` + string(bob.ID)}}, // Ada's apps are in it still
		{method: "PATCH", url: path, body: `{"name":"mine"}`, status: 403, has: []string{"Only the owner of the pipeline haiku"}},
		{url: path + "/stage/review/config-vars", status: 403},
		{url: path + "/stage/review/config-vars", headers: asBob, has: []string{`{"B":"2"}`}},
		{url: "/apps/hello/config-vars", headers: asBob, status: 403}, // the apps are not his
		{method: "DELETE", url: path, headers: asBob, has: []string{`"id":"` + string(pipe)}},
		{url: path, headers: asBob, status: 404},
		{url: "/apps/hello/pipeline-couplings", status: 404},
	} {
		step.play(t, rig)
	}
}

// promote is the body of a promotion from one app to others.
func promote(from renga.AppID, to ...renga.AppID) string {
	var targets []string
	for _, app := range to {
		targets = append(targets, `{"app":{"id":"`+string(app)+`"}}`)
	}
	return `{"pipeline":{"id":"` + string(pipe) + `"},"source":{"app":{"id":"` + string(from) + `"}},"targets":[` + strings.Join(targets, ",") + `]}`
}

// ofRelease is promote of one release of hello.
func ofRelease(release string) string {
	source := `"source":{"app":{"id":"` + string(hello) + `"}`
	return strings.Replace(promote(hello, shop), source, source+`,"release":{"id":"`+release+`"}`, 1)
}

func TestPromotionsThatAreRefused(t *testing.T) {
	ask := func(name, body, says string) scenario {
		return scenario{name: name, method: "POST", url: "/pipeline-promotions", body: body, status: 422, has: []string{says}}
	}
	play(t, []scenario{
		ask("no target", promote(hello), "Name at least one target."),
		ask("itself", promote(hello, hello), "Targets must be other apps of the pipeline haiku"),
		ask("a stranger", promote(hello, other), "Targets must be other apps of the pipeline haiku"),
		ask("from a stranger", promote(other, shop), "The source must be an app of the pipeline haiku"),
		ask("a release that does not serve", ofRelease("v2"), "Only the release that serves can be promoted, which is v3, not v2"),
		ask("a release that is none", ofRelease("v99"), "which is v3, not v99"),
		ask("a release of a wrong name", ofRelease("newest"), "The source has no release newest."),
		ask("nothing to take", promote(shop, hello), "There is nothing to promote."),
		{name: "another's pipeline", method: "POST", url: "/pipeline-promotions", body: promote(hello, shop), headers: asBob, status: 404},
		{name: "unknown", url: "/pipeline-promotions/" + prodOfIt, status: 404, has: []string{`"resource":"pipeline_promotion"`}},
		{name: "hidden from others", url: "/pipeline-promotions/" + promoted, headers: asBob, status: 404},
	})
}

func TestATargetFaresAsItsRelease(t *testing.T) {
	rig := furnished()
	at := "/pipeline-promotions/" + promoted
	scenario{url: at, has: []string{`"status":"completed"`, `"source":{"app":{"id":"` + string(hello)}}.play(t, rig)
	for _, step := range []struct {
		outcome renga.Outcome
		has     []string
	}{
		{renga.Outcome{Status: renga.Pending}, []string{`"status":"pending"`, `"error_message":null`, `"release":{"id":"`}},
		{renga.Outcome{Status: renga.Failed, Reason: "web.1 exited with status 1."}, []string{`"status":"failed"`, `"error_message":"web.1 exited with status 1."`}},
		{renga.Outcome{Status: renga.Superseded}, []string{`"status":"succeeded"`, `"error_message":null`}},
	} {
		rig.world.outcomes[2] = step.outcome
		scenario{url: at + "/promotion-targets", has: step.has}.play(t, rig)
	}
	rig.world.releases[shop] = nil
	scenario{url: at + "/promotion-targets", has: []string{`"status":"failed"`, "is gone"}}.play(t, rig)
}

func TestAPromotionIsPendingFirst(t *testing.T) {
	rig := furnished()
	serves := `{"app":{"id":"` + string(hello) + `"},"release":{"id":"` + idOf(t, rig, 3) + `"}}`
	res, body := rig.ask("POST", "/pipeline-promotions", strings.Replace(promote(hello, shop, shop), `{"app":{"id":"`+string(hello)+`"}}`, serves, 1), nil)
	if res.StatusCode != 201 || !strings.Contains(body, `"status":"pending"`) {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	made := fields(t, "["+body+"]", "id")[0]
	targets := "/pipeline-promotions/" + made + "/promotion-targets"
	scenario{url: targets, has: []string{`"status":"pending"`, `"release":null`, `"error_message":null`}}.play(t, rig)
	open, err := rig.db.OpenPromotions(t.Context())
	if err != nil || len(open) != 1 || len(open[0].Targets) != 1 || open[0].Release != 3 || open[0].By != ada.ID {
		t.Fatalf("open are %+v, %v", open, err)
	}
	open[0].Targets[0].Failure = "The app shop is being deleted."
	if err := rig.db.SetPromotionTarget(t.Context(), made, open[0].Targets[0]); err != nil {
		t.Fatal(err)
	}
	scenario{url: targets, has: []string{`"status":"failed"`, `"error_message":"The app shop is being deleted."`}}.play(t, rig)
}

func TestAppsAreFilteredByID(t *testing.T) {
	ids := `{"in":{"id":["` + string(hello) + `","` + string(other) + `","` + string(hello) + `","` + stagingOfIt + `"]}}`
	play(t, []scenario{
		{name: "only those one sees", method: "POST", url: "/filters/apps", body: ids, headers: header("Range", "id ..; max=1000;"), has: []string{`[{"archived_at":`, `"name":"hello"`, `"joined":true`}, hasNot: []string{"other", "shop"}},
		{name: "none asked", method: "POST", url: "/filters/apps", body: `{}`, has: []string{`[]`}},
	})
}

func TestTheLatestDeploymentBroughtTheImages(t *testing.T) {
	rig := furnished()
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web], in.Vars["A"] = image(renga.Web, 2), "b"
	rig.world.add(shop, "Set A config vars", in)
	scenario{url: "/pipelines/haiku/latest-deployments", has: []string{`"version":2`}, hasNot: []string{`"version":3`}}.play(t, rig)
	scenario{url: "/pipelines/haiku/latest-releases", has: []string{`"version":3`, `"version":4`}}.play(t, rig)
}

// TestNobodyGetsAnImageByWayOfANeighbour: who may view one app of a pipeline
// neither couples an app of their own into it, nor gets what the pipeline's owner
// promotes, whoever may deploy to their app.
func TestNobodyGetsAnImageByWayOfANeighbour(t *testing.T) {
	couple := `{"app":"other","pipeline":"` + string(pipe) + `","stage":"production"}`
	share := func(app renga.AppID, permissions string) scenario {
		headers := map[string]string(nil)
		if app == other {
			headers = asBob
		}
		who := map[renga.AppID]string{other: "ada", hello: "bob", shop: "bob"}[app]
		return scenario{method: "POST", url: "/apps/" + string(app) + "/collaborators", headers: headers, status: 201, has: []string{`"email":"` + who},
			body: `{"user":"` + who + `@example.com","permissions":[` + permissions + `]}`}
	}
	const noMember, noGain = "Only the owner of the pipeline haiku, or who may deploy to all of its apps", "may not see all apps of the pipeline haiku"
	rig := furnished()
	for _, step := range []scenario{
		share(shop, `"view"`), share(other, `"deploy","operate"`),
		{method: "POST", url: "/pipeline-couplings", headers: asBob, body: couple, status: 403, has: []string{noMember}},
		{method: "POST", url: "/pipeline-couplings", body: couple, status: 403, has: []string{noGain}}, // not by Ada either
	} {
		step.play(t, rig)
	}
	_, err := rig.db.UpdatePipeline(t.Context(), pipe, func(p *renga.Pipeline) error { // as it once was possible
		p.Couplings = append(p.Couplings, renga.Coupling{ID: "41000000-0000-4000-8000-000000000009", App: other, Stage: "production", CreatedAt: born, UpdatedAt: born})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused := scenario{method: "POST", url: "/pipeline-promotions", body: promote(hello, shop, other), status: 403,
		has: []string{"Whoever owns the app other may not see the app hello"}}
	refused.play(t, rig)
	if open, err := rig.db.OpenPromotions(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("promoted all the same: %+v, %v", open, err)
	}
	share(hello, `"view"`).play(t, rig)
	refused.status, refused.has = 201, []string{`"status":"pending"`}
	refused.play(t, rig) // Bob may pull the image himself
}

// TestWhoDeploysToAllAppsOfAPipelineAddsOne as its owner does.
func TestWhoDeploysToAllAppsOfAPipelineAddsOne(t *testing.T) {
	rig := furnished()
	for _, app := range []renga.AppID{hello, shop} {
		a := rig.world.apps[app]
		a.Collaborators = with(bob, renga.MayDeploy)
		rig.world.apps[app] = a
	}
	scenario{method: "POST", url: "/pipeline-couplings", headers: asBob, status: 201, has: []string{`"app":{"id":"` + string(other)},
		body: `{"app":"other","pipeline":"` + string(pipe) + `","stage":"development"}`}.play(t, rig)
}
