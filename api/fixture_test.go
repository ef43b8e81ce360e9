package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"renga"
	"renga/api"
	"renga/api/apps"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/events"
	"renga/api/people"
	"renga/api/pipelines"
	"renga/api/releases"
	"renga/api/wire/wiretest"
	"renga/scheduler"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

// run runs scenarios, each on a fixture of its own.
func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, func() *fixture { return newFixture(nil) }, scenarios)
}

func newFixture(checks map[string]func(context.Context) error) *fixture {
	return newFixtureWith(func(o *api.Options) { o.Checks = checks })
}

// newFixtureWith is a fixture with other options. It serves the whole API.
func newFixtureWith(change func(*api.Options)) *fixture {
	r := wiretest.New()
	options := api.Options{
		Settings: r.NewSettings(), Version: "1.2.3",
		RateLimit: 1 << 30, // more than fuzzing asks for
	}
	change(&options)
	w, db := r.FakeRooms, r.DB
	attached := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "attached at "+r.URL.Path) }
	room := scheduler.New(scheduler.Options{Log: options.Log, Now: options.Now}, db, db, nil, nil) // it does not run
	server := api.New(options, api.Parts{
		Wire: r.NewParts(), People: people.Parts{
			Accounts: db, Logins: r.People, Authorizations: db, Browsers: r.People, Keys: db,
		},
		Pipelines: pipelines.Parts{
			Pipelines: db, PipelineVars: db, Promotions: wiretest.Promotions{FakeRooms: w, Store: db}, History: w,
		},
		Releases: releases.Parts{
			Apps: w, Releases: w, Outputs: w, Releaser: w, Rollouts: w, Images: w, Deployer: w,
		},
		Apps: apps.Parts{
			Apps: w, Creator: w, Deleter: w, Renamer: w, Transfers: db, Owners: w, Vars: w, Minutes: w, Sleeps: w,
		},
		Dynos: dynos.Parts{
			Sizes: wiretest.Sizes, Formations: w, Images: w, Deployer: w, Dynos: w, OneOffs: w,
			Attach:         http.HandlerFunc(attached),
			RendezvousPort: "5443", Access: access{w}, Schedules: db, Scheduler: room,
		},
		Events: events.Parts{
			Logs: &w.Journal, Drains: db, Drainer: w, Webhooks: r.FakeWebhooks, Reachable: wiretest.Reachable,
		},
		Domains: domains.Parts{Apps: w, Domains: db, Endpoints: db, Orders: w},
	})
	r.Handler, r.Door = server, server.Door
	return r
}

// furnished has what the rows of implemented ask for.
func furnished() *fixture { return wiretest.Furnish(newFixture(nil)) }

// play runs scenarios, each on a furnished fixture of its own.
func play(t *testing.T, scenarios []scenario) {
	for _, sc := range scenarios {
		t.Run(sc.Name, func(t *testing.T) { sc.Play(t, furnished()) })
	}
}

// access are those of the fake rooms, over SSH and over WebSocket.
type access struct{ *wiretest.FakeRooms }

func (w access) Exec(_ context.Context, _ renga.App, c dynos.Command) (string, error) {
	w.Still = c.Still
	if c.Terminal != nil {
		c.Line += fmt.Sprintf("-%dx%d", c.Terminal.Columns, c.Terminal.Rows)
	}
	return c.Dyno + "-" + c.Line, nil
}

// payloads makes what receivers of webhooks get.
func payloads(r *fixture) *api.Server { return r.Handler.(*api.Server) }
