package addons_test

import (
	"net/http"
	"os"
	"slices"
	"testing"

	"renga/api/addons"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newFixture serves the family over a store with add-ons.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	changes = slices.DeleteFunc(changes, func(change func(*wiretest.Seed)) bool { return change == nil })
	r := wiretest.NewFull()
	if len(changes) > 0 {
		r = wiretest.New(append([]func(*wiretest.Seed){wiretest.AddAll}, changes...)...)
	}
	room, tunnels := wiretest.FakeAddOns{Fixture: r}, &fakeTunnels{}
	r.Fakes = []any{tunnels}
	return r.Mount(func(d *wire.Door) []wire.Route {
		return addons.New(d, addons.Parts{
			Catalogue: wiretest.Catalogue, AddOns: r.DB, Maker: room, Attacher: room, Upgrader: room, Releases: r.Releaser,
			Partners: room, Grants: room, Usages: room, Backups: wiretest.FakeBackups{Fixture: r},
			Copier:          wiretest.FakeBackups{Fixture: r},
			BackupDownloads: wiretest.FakeBackups{Fixture: r}, BackupRecords: r.DB,
			BackupSchedules: r.DB,
			Tunnels:         tunnels,
			ShowRegion:      func() any { return "us" }, KnownRegion: func(*http.Request) error { return nil },
		}).Routes()
	})
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
