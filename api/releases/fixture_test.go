package releases_test

import (
	"os"
	"testing"

	"renga/api/releases"
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
	w := r.FakeRooms
	return r.Mount(func(d *wire.Door) []wire.Route {
		return releases.New(d, releases.Parts{
			Apps: w, Releases: w, Outputs: w, Releaser: w, Rollouts: w, Images: w, Deployer: w,
		}).Routes()
	})
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
