package apps_test

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"renga"
	"renga/api/apps"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/config"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// asked is the refusal for a collaborator who lacks the permission.
const asked = `You need to have manage permission on this app.`

// newFixture serves the family over the store.
func newFixture(changes ...func(*wiretest.Seed)) *fixture { return mount(wiretest.New(changes...)) }

func mount(r *fixture) *fixture {
	f := &fake{fixture: r}
	r.Fakes = []any{f}
	return r.Mount(func(d *wire.Door) []wire.Route {
		return apps.New(d, apps.Parts{
			Apps: r.DB, Creator: r.Releaser, Deleter: f, Renamer: f, Transfers: r.DB, Owners: f,
			Vars: config.New(r.Releaser), Minutes: r.DB, Sleeps: f,
			BastionVars: func(*http.Request, renga.App) (renga.Vars, error) { return f.own, nil },
		}).Routes()
	})
}

// fake stands for the registry, the ledger and the router.
type fake struct {
	*fixture
	own       renga.Vars // what callers get besides the app's config vars
	owners    []string   // what the ledger was told
	requested time.Time  // when the last request came
}

func (f *fake) DeleteApp(ctx context.Context, id renga.AppID) error { return f.DB.RemoveApp(ctx, id) }

func (f *fake) Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	return f.DB.RenameApp(ctx, id, name)
}

func (f *fake) KeepOwner(_ context.Context, app renga.App) error {
	f.owners = append(f.owners, app.Name+" of "+string(app.Owner))
	return nil
}

func (f *fake) Desired(ctx context.Context, app renga.AppID) (renga.Desired, error) {
	return f.DB.Desired(ctx, app)
}

func (f *fake) LastRequest(renga.AppID) time.Time { return f.requested }

// fakeOf is the fake of a fixture.
func fakeOf(r *fixture) *fake { return r.Fakes[0].(*fake) }

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
