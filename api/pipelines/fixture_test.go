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

// newFixture serves the family over the fake rooms.
func newFixture() *fixture {
	r := wiretest.New()
	return r.Mount(func(d *wire.Door) []wire.Route {
		return pipelines.New(d, pipelines.Parts{
			Pipelines: r.DB, PipelineVars: r.DB, Promotions: wiretest.Promotions{FakeRooms: r.FakeRooms, Store: r.DB},
			History: r.FakeRooms, ShowRelease: showRelease, VersionOf: versionOf,
		}).Routes()
	})
}

// showRelease tells of a release what tests look at.
func showRelease(_ context.Context, a renga.App, rec renga.ReleaseRecord, _ *wire.People) (any, error) {
	return map[string]any{
		"app": wire.AppRef(a), "id": wire.ReleaseID(rec.App, rec.Version), "description": rec.Description,
		"version": rec.Version,
	}, nil
}

// versionOf knows the third release of hello by its id, and reads versions.
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

// furnished has pipelines and promotions.
func furnished() *fixture { return wiretest.Furnish(newFixture()) }

// play runs scenarios, each on a furnished fixture of its own.
func play(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, furnished, scenarios)
}
