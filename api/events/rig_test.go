package events_test

import (
	"context"
	"os"
	"renga"
	"testing"

	"renga/api/events"
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
	return r.Mount(func(d *wire.Door) []wire.Route {
		return events.New(d, events.Parts{
			Logs: &r.World.Journal, Drains: r.DB, Drainer: r.World, Webhooks: r.Mailbox, Reachable: wiretest.Reachable,
			Shown: events.Shown{App: showApp},
		}).Routes()
	})
}

// showApp tells of an app what the world's event changes of it.
func showApp(_ context.Context, a renga.App) (any, error) {
	return map[string]any{"name": a.Name, "maintenance": a.Maintenance}, nil
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newRig, scenarios)
}
