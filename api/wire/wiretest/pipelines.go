package wiretest

import (
	"strings"

	"renga"
)

const (
	Shop         = renga.AppID("20000000-0000-4000-8000-000000000003")
	third        = renga.AppID("20000000-0000-4000-8000-000000000004")
	StagingID    = "41000000-0000-4000-8000-000000000001"
	ProductionID = "41000000-0000-4000-8000-000000000002"
	PipelineID   = renga.PipelineID("40000000-0000-4000-8000-000000000001")
	PromotionID  = "50000000-0000-4000-8000-000000000001"
)

// AddAll adds what the rows of implemented ask for: Ada's apps shop and third, her
// pipeline haiku from hello to shop, and a promotion; and add-ons, hers and Bob's.
func AddAll(s *Seed) {
	s.AddApp(renga.App{
		ID: Shop, Name: "shop", Owner: Ada.ID, Collaborators: With(Carol, renga.MayView), CreatedAt: Born, UpdatedAt: Born,
	})
	s.AddApp(renga.App{ID: third, Name: "third", Owner: Ada.ID, CreatedAt: Born, UpdatedAt: Born})
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web] = Image(renga.Web, 2)
	s.Add(Shop, "Promote hello v3", in)
	s.Pipelines = []renga.Pipeline{{
		ID: PipelineID, Name: "haiku", Owner: Ada.ID, CreatedAt: Born, UpdatedAt: Born,
		Couplings: []renga.Coupling{
			{ID: StagingID, App: Hello, Stage: "staging", CreatedAt: Born, UpdatedAt: Born},
			{ID: ProductionID, App: Shop, Stage: "production", CreatedAt: Born, UpdatedAt: Born},
		},
	}}
	s.Promotions = []renga.Promotion{{
		ID: PromotionID, Pipeline: PipelineID, Source: Hello, Release: 3, By: Ada.ID, CreatedAt: Born, UpdatedAt: Born,
		Targets: []renga.PromotionTarget{{ID: "51000000-0000-4000-8000-000000000001", App: Shop, Release: 2}},
	}}
	addAddOns(s)
}

// Promote is the body of a promotion from one app to others.
func Promote(from renga.AppID, to ...renga.AppID) string {
	var targets []string
	for _, app := range to {
		targets = append(targets, `{"app":{"id":"`+string(app)+`"}}`)
	}
	return `{"pipeline":{"id":"` + string(PipelineID) + `"},"source":{"app":{"id":"` + string(from) + `"}},"targets":[` +
		strings.Join(targets, ",") + `]}`
}

// OfRelease is Promote of one release of hello.
func OfRelease(release string) string {
	source := `"source":{"app":{"id":"` + string(Hello) + `"}`
	return strings.Replace(Promote(Hello, Shop), source, source+`,"release":{"id":"`+release+`"}`, 1)
}
