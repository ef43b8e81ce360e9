package domains_test

import (
	"context"
	"os"
	"testing"

	"renga"
	"renga/api/domains"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func newFixture() *fixture { return newFixtureWith(false) }

// newFixtureWith serves the family over the store.
func newFixtureWith(acme bool) *fixture {
	r := wiretest.New()
	return r.Mount(func(d *wire.Door) []wire.Route {
		return domains.New(d, domains.Parts{
			Apps: r.FakeRooms, Domains: r.DB, Endpoints: r.DB, Orders: r.FakeRooms, ShowApp: showApp, ACME: acme,
		}).Routes()
	})
}

// showApp tells of an app what the family changes of it.
func showApp(_ context.Context, a renga.App) (any, error) { return map[string]bool{"acm": a.ACM}, nil }

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
