package events_test

import (
	"context"
	"os"
	"testing"

	"renga"
	"renga/api/events"
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
		return events.New(d, events.Parts{
			Logs: &r.FakeRooms.Journal, Drains: r.DB, Drainer: r.FakeRooms, Webhooks: r.FakeWebhooks, Reachable: wiretest.Reachable,
			Shown: events.Shown{App: showApp},
		}).Routes()
	})
}

// showApp tells of an app what the event of the fake rooms changes of it.
func showApp(_ context.Context, a renga.App) (any, error) {
	return map[string]any{"name": a.Name, "maintenance": a.Maintenance}, nil
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
