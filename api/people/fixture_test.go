package people_test

import (
	"os"
	"testing"

	"renga/api/people"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newFixture serves the family, and a list for which a token of scope read is good.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	r := wiretest.New(changes...)
	return r.Mount(func(d *wire.Door) []wire.Route {
		all := people.New(
			d, people.Parts{Accounts: r.DB, Logins: r.People, Authorizations: r.DB, Browsers: r.People, Keys: r.DB},
		).Routes()
		return append(all, wire.Get("/apps", wire.Reading, wire.ListNone))
	})
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
