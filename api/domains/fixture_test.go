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

// newFixture serves the family over the store.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	return mount(wiretest.New(changes...), false)
}

func mount(r *fixture, acme bool) *fixture {
	orders := &fakeOrders{}
	r.Fakes = []any{orders}
	return r.Mount(func(d *wire.Door) []wire.Route {
		return domains.New(d, domains.Parts{
			Apps: r.DB, Domains: r.DB, Endpoints: r.DB, Orders: orders, ShowApp: showApp, ACME: acme,
		}).Routes()
	})
}

// fakeOrders notes which hosts are to get certificates.
type fakeOrders struct{ hosts []string }

func (o *fakeOrders) Order(host string) { o.hosts = append(o.hosts, host) }

// ordered are the hosts that are to get certificates.
func ordered(r *fixture) []string { return r.Fakes[0].(*fakeOrders).hosts }

// showApp shows what the family changes of an app.
func showApp(_ context.Context, a renga.App) (any, error) { return map[string]bool{"acm": a.ACM}, nil }

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
