package wiretest

import (
	"context"
	"strings"

	"renga"
	"renga/store"
)

const (
	Shop        = renga.AppID("20000000-0000-4000-8000-000000000003")
	third       = renga.AppID("20000000-0000-4000-8000-000000000004")
	StagingOfIt = "41000000-0000-4000-8000-000000000001"
	ProdOfIt    = "41000000-0000-4000-8000-000000000002"
	Pipe        = renga.PipelineID("40000000-0000-4000-8000-000000000001")
	Promoted    = "50000000-0000-4000-8000-000000000001"
)

// Furnish gives a fixture what the rows of implemented ask for beside the app hello:
// Ada's apps shop and third, her pipeline haiku from hello to shop, and a
// promotion.
func Furnish(fixture *Fixture) *Fixture {
	fixture.FakeRooms.Apps[Shop] = renga.App{
		ID: Shop, Name: "shop", Owner: Ada.ID, Collaborators: With(Carol, renga.MayView),
		CreatedAt: Born, UpdatedAt: Born,
	}
	fixture.FakeRooms.Add(Shop, "Initial release", renga.Inputs{})
	fixture.FakeRooms.Apps[third] = renga.App{
		ID: third, Name: "third", Owner: Ada.ID, CreatedAt: Born, UpdatedAt: Born,
	}
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web] = Image(renga.Web, 2)
	fixture.FakeRooms.Add(Shop, "Promote hello v3", in)
	err := fixture.DB.CreatePipeline(context.Background(), renga.Pipeline{
		ID: Pipe, Name: "haiku", Owner: Ada.ID, CreatedAt: Born, UpdatedAt: Born,
		Couplings: []renga.Coupling{
			{
				ID: StagingOfIt, App: Hello, Stage: "staging", CreatedAt: Born,
				UpdatedAt: Born,
			},
			{ID: ProdOfIt, App: Shop, Stage: "production", CreatedAt: Born, UpdatedAt: Born},
		},
	})
	if err == nil {
		err = fixture.DB.AddPromotion(context.Background(), renga.Promotion{
			ID: Promoted, Pipeline: Pipe, Source: Hello, Release: 3, By: Ada.ID,
			CreatedAt: Born, UpdatedAt: Born,
			Targets: []renga.PromotionTarget{{ID: "51000000-0000-4000-8000-000000000001", App: Shop, Release: 2}},
		})
	}
	if err != nil {
		panic(err) // a fixture that is not furnished says nothing
	}
	return fixture
}

// Promotions are those of the store, of what the fake rooms have; nobody carries them
// out.
type Promotions struct {
	*FakeRooms
	*store.Store
}

func (p Promotions) Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	if len(p.FakeRooms.History[app]) < 3 {
		return renga.ReleaseRecord{}, renga.Errorf(renga.Invalid, "There is nothing to promote.")
	}
	return p.FakeRooms.Release(ctx, app, 3)
}

func (p Promotions) Promote(ctx context.Context, promotion renga.Promotion) error {
	return p.AddPromotion(ctx, promotion)
}

// Promote is the body of a promotion from one app to others.
func Promote(from renga.AppID, to ...renga.AppID) string {
	var targets []string
	for _, app := range to {
		targets = append(targets, `{"app":{"id":"`+string(app)+`"}}`)
	}
	return `{"pipeline":{"id":"` + string(Pipe) + `"},"source":{"app":{"id":"` + string(from) + `"}},"targets":[` +
		strings.Join(targets, ",") + `]}`
}

// OfRelease is promote of one release of hello.
func OfRelease(release string) string {
	source := `"source":{"app":{"id":"` + string(Hello) + `"}`
	return strings.Replace(Promote(Hello, Shop), source, source+`,"release":{"id":"`+release+`"}`, 1)
}
