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
	rig      = wiretest.Rig
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newRig serves the family over the world.
func newRig() *rig {
	r := wiretest.New()
	w := r.World
	return r.Mount(func(d *wire.Door) []wire.Route {
		return releases.New(d, releases.Parts{
			Apps: w, Releases: w, Outputs: w, Releaser: w, Rollouts: w, Images: w, Deployer: w,
		}).Routes()
	})
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newRig, scenarios)
}
