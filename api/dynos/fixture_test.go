package dynos_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"renga"
	"renga/api/dynos"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/scheduler"
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
	w, settings := r.FakeRooms, r.NewSettings()
	// it does not run
	room := scheduler.New(scheduler.Options{Log: settings.Log, Now: settings.Now}, r.DB, r.DB, nil, nil)
	return r.Mount(func(d *wire.Door) []wire.Route {
		return dynos.New(d, dynos.Parts{
			Sizes: wiretest.Sizes, Formations: w, Images: w, Deployer: w, Dynos: w, OneOffs: w,
			Attach:         http.HandlerFunc(attached),
			RendezvousPort: "5443", Access: access{w}, Schedules: r.DB, Scheduler: room,
		}).Routes()
	})
}

func attached(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "attached at "+r.URL.Path)
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

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
