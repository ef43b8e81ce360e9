package api_test

import (
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestAPipelineMovesWithItsConfigVarsOnly(t *testing.T) {
	fixture := newFull()
	path := "/pipelines/" + string(wiretest.PipelineID)
	give := `{"pipeline":{"id":"` + string(wiretest.PipelineID) + `"},"new_owner":{"id":"` + string(wiretest.Bob.ID) +
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
		{URL: path, Has: []string{`"owner":{"id":"` + string(wiretest.Bob.ID)}}, // Ada's apps are still in it
		{
			Method: "PATCH", URL: path, Body: `{"name":"mine"}`, Status: 403,
			Has: []string{"Only the owner of the pipeline haiku"},
		},
		{URL: path + "/stage/review/config-vars", Status: 403},
		{URL: path + "/stage/review/config-vars", Headers: wiretest.AsBob, Has: []string{`{"B":"2"}`}},
		{URL: "/apps/hello/config-vars", Headers: wiretest.AsBob, Status: 403}, // the apps are not his
		{Method: "DELETE", URL: path, Headers: wiretest.AsBob, Has: []string{`"id":"` + string(wiretest.PipelineID)}},
		{URL: path, Headers: wiretest.AsBob, Status: 404},
		{URL: "/apps/hello/pipeline-couplings", Status: 404},
	} {
		step.Play(t, fixture)
	}
}

func TestAppsAreFilteredByID(t *testing.T) {
	ids := `{"in":{"id":["` + string(wiretest.Hello) + `","` + string(wiretest.Other) + `","` +
		string(wiretest.Hello) + `","` + wiretest.StagingID + `"]}}`
	play(t, []scenario{
		{
			Name: "only those one sees", Method: "POST", URL: "/filters/apps", Body: ids,
			Headers: wiretest.Header("Range", "id ..; max=1000;"),
			Has:     []string{`[{"archived_at":`, `"name":"hello"`, `"joined":true`}, HasNot: []string{"other", "shop"},
		},
		{Name: "none asked", Method: "POST", URL: "/filters/apps", Body: `{}`, Has: []string{`[]`}},
	})
}

// TestNobodyGetsAnImageByWayOfANeighbour checks somebody who may view one app of a
// pipeline. They cannot add an app of their own to it, and do not get what the
// pipeline's owner promotes, even if the owner may deploy to their app.
func TestNobodyGetsAnImageByWayOfANeighbour(t *testing.T) {
	couple := `{"app":"other","pipeline":"` + string(wiretest.PipelineID) + `","stage":"production"}`
	share := func(app renga.AppID, permissions string) scenario {
		headers := map[string]string(nil)
		if app == wiretest.Other {
			headers = wiretest.AsBob
		}
		who := map[renga.AppID]string{wiretest.Other: "ada", wiretest.Hello: "bob", wiretest.Shop: "bob"}[app]
		return scenario{Method: "POST", URL: "/apps/" + string(app) + "/collaborators", Headers: headers, Status: 201,
			Has:  []string{`"email":"` + who},
			Body: `{"user":"` + who + `@example.com","permissions":[` + permissions + `]}`}
	}
	const (
		noMember = "Only the owner of the pipeline haiku, or who may deploy to all of its apps"
		noGain   = "may not see all apps of the pipeline haiku"
	)
	fixture := newFull()
	for _, step := range []scenario{
		share(wiretest.Shop, `"view"`), share(wiretest.Other, `"deploy","operate"`),
		{
			Method: "POST", URL: "/pipeline-couplings", Headers: wiretest.AsBob, Body: couple, Status: 403,
			Has: []string{noMember},
		},
		// not by Ada either
		{Method: "POST", URL: "/pipeline-couplings", Body: couple, Status: 403, Has: []string{noGain}},
	} {
		step.Play(t, fixture)
	}
	// older versions of Renga allowed that
	_, err := fixture.DB.UpdatePipeline(t.Context(), wiretest.PipelineID, func(p *renga.Pipeline) error {
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
	refused := scenario{
		Method: "POST", URL: "/pipeline-promotions", Status: 403,
		Body: wiretest.Promote(wiretest.Hello, wiretest.Shop, wiretest.Other),
		Has:  []string{"Whoever owns the app other may not see the app hello"},
	}
	refused.Play(t, fixture)
	if open, err := fixture.DB.OpenPromotions(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("promoted all the same: %+v, %v", open, err)
	}
	share(wiretest.Hello, `"view"`).Play(t, fixture)
	refused.Status, refused.Has = 201, []string{`"status":"pending"`}
	refused.Play(t, fixture) // Bob may pull the image himself
}

// TestWhoDeploysToAllAppsOfAPipelineAddsOne checks that they may do so like the
// owner.
func TestWhoDeploysToAllAppsOfAPipelineAddsOne(t *testing.T) {
	fixture := newFull()
	for _, app := range []renga.AppID{wiretest.Hello, wiretest.Shop} {
		fixture.Edit(t, app, func(a *renga.App) { a.Collaborators = wiretest.With(wiretest.Bob, renga.MayDeploy) })
	}
	scenario{Method: "POST", URL: "/pipeline-couplings", Headers: wiretest.AsBob, Status: 201,
		Has:  []string{`"app":{"id":"` + string(wiretest.Other)},
		Body: `{"app":"other","pipeline":"` + string(wiretest.PipelineID) + `","stage":"development"}`}.Play(t, fixture)
}
