package pipelines_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"renga"
	"renga/api/pipelines"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newFull serves the family over a store with pipelines and promotions.
func newFull(changes ...func(*wiretest.Seed)) *fixture {
	r := wiretest.New(append([]func(*wiretest.Seed){wiretest.AddAll}, changes...)...)
	return r.Mount(func(d *wire.Door) []wire.Route {
		return pipelines.New(d, pipelines.Parts{
			Pipelines: r.DB, PipelineVars: r.DB, Promotions: fake{r}, History: r.DB, ShowRelease: showRelease, VersionOf: versionOf,
		}).Routes()
	})
}

// showRelease shows what tests read of a release.
func showRelease(_ context.Context, a renga.App, rec renga.ReleaseRecord, _ *wire.People) (any, error) {
	return map[string]any{
		"app": wire.AppRef(a), "id": wire.ReleaseID(rec.App, rec.Version), "description": rec.Description,
		"version": rec.Version,
	}, nil
}

// versionOf gives the version for the id of hello's third release, and reads
// versions.
func versionOf(_ context.Context, app renga.AppID, identity string) (int, error) {
	if app == wiretest.Hello && identity == wire.ReleaseID(app, 3) {
		return 3, nil
	}
	version, err := strconv.Atoi(strings.TrimPrefix(identity, "v"))
	if err != nil {
		return 0, wire.NotFound("release")
	}
	return version, nil
}

// fake stands for the promoter: it records promotions, and nobody carries them out.
type fake struct{ *fixture }

func (f fake) Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	return f.Releaser.Promotable(ctx, app)
}

func (f fake) Promote(ctx context.Context, p renga.Promotion) error { return f.DB.AddPromotion(ctx, p) }

func (f fake) Promotion(ctx context.Context, id string) (renga.Promotion, error) {
	return f.DB.Promotion(ctx, id)
}

// play runs scenarios, each on a fixture of its own.
func play(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFull, scenarios)
}
