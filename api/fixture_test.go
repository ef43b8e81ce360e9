package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"renga"
	"renga/api"
	"renga/api/addons"
	"renga/api/apps"
	"renga/api/builds"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/events"
	"renga/api/imports"
	"renga/api/people"
	"renga/api/pipelines"
	platformapi "renga/api/platform"
	"renga/api/releases"
	"renga/api/wire/wiretest"
	"renga/config"
	importroom "renga/imports"
	"renga/releaser"
	"renga/scheduler"
	"renga/store"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

// run runs scenarios, each on a fixture of its own.
func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newSeeded, scenarios)
}

func newSeeded(changes ...func(*wiretest.Seed)) *fixture {
	return serve(wiretest.New(changes...), func(*api.Options) {})
}

func newFixture(checks map[string]func(context.Context) error) *fixture {
	return newFixtureWith(func(o *api.Options) { o.Checks = checks })
}

// newFixtureWith is a fixture with other options.
func newFixtureWith(change func(*api.Options)) *fixture { return serve(wiretest.New(), change) }

// newFull is a fixture with what the rows of implemented ask for.
func newFull() *fixture { return serve(wiretest.NewFull(), func(*api.Options) {}) }

// play runs scenarios, each on a full fixture of its own.
func play(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.Name, func(t *testing.T) { sc.Play(t, newFull()) })
	}
}

// serve serves the whole API over the store and the releaser.
func serve(r *fixture, change func(*api.Options)) *fixture {
	options := api.Options{
		Settings: r.NewSettings(), Version: "1.2.3",
		RateLimit: 1 << 30, // more than fuzzing asks for
	}
	change(&options)
	db, rel, f := r.DB, r.Releaser, &fake{}
	r.Fakes = []any{f}
	server := api.New(options, api.Parts{
		Wire: r.NewParts(), People: people.Parts{
			Accounts: db, Logins: r.People, Authorizations: db, Browsers: r.People, Keys: db,
		},
		Platform: platformapi.Parts{Collector: f, Disk: f, Apps: db, Operator: wiretest.Ada.ID},
		Pipelines: pipelines.Parts{
			Pipelines: db, PipelineVars: db, Promotions: releaser.NewPromoter(db, rel), History: db,
		},
		Releases: releases.Parts{
			Apps: db, Releases: db, Outputs: fakeOutputs{}, Releaser: rel, Rollouts: db, Images: f, Stored: noImages{}, Deployer: rel,
			Importer: importer(db),
		},
		Builds:  builds.Parts{Builds: fakeBuilds{}, Builder: fakeBuilds{}},
		Imports: imports.Parts{Imports: db, Importer: importer(db), Credentials: db, Rules: db, Notices: db},
		Apps: apps.Parts{
			Apps: db, Creator: creator{rel, f}, Deleter: releaser.NewRemover(db, f, noAddOns{}, rel), Renamer: renamer{db},
			Transfers: db, Owners: r.Ledger, Vars: config.New(rel), Minutes: db, Sleeps: sleeps{db},
		},
		AddOns: addons.Parts{
			Catalogue: wiretest.Catalogue, AddOns: db, Maker: wiretest.FakeAddOns{Fixture: r}, Upgrader: wiretest.FakeAddOns{Fixture: r},
			Attacher: wiretest.FakeAddOns{Fixture: r}, Releases: rel,
			Partners: wiretest.FakeAddOns{Fixture: r}, Grants: wiretest.FakeAddOns{Fixture: r},
			Backups: wiretest.FakeBackups{Fixture: r}, Copier: wiretest.FakeBackups{Fixture: r},
			BackupDownloads: wiretest.FakeBackups{Fixture: r}, BackupRecords: db,
			BackupSchedules: db,
			Tunnels:         f,
			Usages:          wiretest.FakeAddOns{Fixture: r},
		},
		Dynos: dynos.Parts{
			Sizes: wiretest.Sizes, Formations: db, Images: f, Deployer: rel, Dynos: db, OneOffs: f,
			Attach: http.HandlerFunc(attached), RendezvousPort: "5443", Access: f, Schedules: db,
			Scheduler: scheduler.New(scheduler.Options{Log: options.Log, Now: options.Now}, db, db, nil, nil), // it does not run
		},
		Events: events.Parts{
			Logs: fakeLogs{}, Drains: db, Drainer: r.Recorder, Webhooks: sent{db}, AddOns: db, Reachable: wiretest.Reachable,
			Operator: wiretest.Ada.ID,
		},
		Domains: domains.Parts{Apps: db, Domains: db, Endpoints: db, Orders: f},
	})
	r.Handler, r.Door = server, server.Door
	return r
}

// importer takes orders and does nothing of them, for it does not run.
func importer(db *store.Store) *importroom.Imports {
	return importroom.New(importroom.Options{
		Own: func(host string) bool { return host == "registry.renga.test" }, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}, db, db, db, nil, nil)
}

// payloads makes what receivers of webhooks get.
func payloads(r *fixture) *api.Server { return r.Handler.(*api.Server) }

// noImages stands for a registry that nothing was pushed to.
type noImages struct{ releases.Stored }

func (noImages) StoredImages(context.Context, string) ([]renga.StoredImage, error) { return nil, nil }

func (noImages) StoredTags(context.Context, string) ([]renga.StoredTag, error) { return nil, nil }

// buildID is that of the one build that fakeBuilds have.
const buildID = "b0000000-0000-4000-8000-000000000001"

// fakeBuilds build nothing.
type fakeBuilds struct{}

func (fakeBuilds) Builds(_ context.Context, app renga.AppID) ([]renga.Build, error) {
	return []renga.Build{{
		ID: buildID, App: app, Number: 1, By: wiretest.Ada.ID, State: renga.BuildSucceeded, Version: 1,
		Source: renga.BuildSource{URL: "https://example.com/a.tgz", Commit: "v1"}, Buildpacks: []string{"heroku/nodejs"},
		CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
	}}, nil
}

func (f fakeBuilds) Start(ctx context.Context, order renga.BuildOrder, _ io.Reader) (renga.Build, error) {
	return f.Cancel(ctx, order.App, "")
}

func (fakeBuilds) Fetch(context.Context, string) (io.ReadCloser, error) { return http.NoBody, nil }

func (f fakeBuilds) Cancel(ctx context.Context, app renga.AppID, _ string) (renga.Build, error) {
	all, err := f.Builds(ctx, app)
	return all[0], err
}

func (fakeBuilds) Follow(context.Context, renga.Build, io.Writer) error { return nil }

func (fakeBuilds) ForgetCache(context.Context, renga.AppID) error { return nil }
