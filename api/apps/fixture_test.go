package apps_test

import (
	"os"
	"testing"

	"renga/api/apps"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// asked is what a collaborator is told who may not do that.
const asked = `You need to have manage permission on this app.`

// newFixture serves the family over the fake rooms.
func newFixture() *fixture {
	r := wiretest.New()
	w := r.FakeRooms
	return r.Mount(func(d *wire.Door) []wire.Route {
		return apps.New(d, apps.Parts{
			Apps: w, Creator: w, Deleter: w, Renamer: w, Transfers: r.DB, Owners: w, Vars: w, Minutes: w, Sleeps: w,
		}).Routes()
	})
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
