package domains_test

import (
	"context"
	"os"
	"renga"
	"testing"

	"renga/api/domains"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	rig      = wiretest.Rig
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func newRig() *rig { return newRigWith(false) }

// newRigWith serves the family over the store.
func newRigWith(acme bool) *rig {
	r := wiretest.New()
	return r.Mount(func(d *wire.Door) []wire.Route {
		return domains.New(d, domains.Parts{
			Apps: r.World, Domains: r.DB, Endpoints: r.DB, Orders: r.World, ShowApp: showApp, ACME: acme,
		}).Routes()
	})
}

// showApp tells of an app what the family changes of it.
func showApp(_ context.Context, a renga.App) (any, error) { return map[string]bool{"acm": a.ACM}, nil }

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newRig, scenarios)
}
