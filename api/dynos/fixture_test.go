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

// newFixture serves the family over the store.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	r := wiretest.New(changes...)
	f, settings := &fake{}, r.NewSettings()
	r.Fakes = []any{f}
	// the scheduler does not run
	room := scheduler.New(scheduler.Options{Log: settings.Log, Now: settings.Now}, r.DB, r.DB, nil, nil)
	return r.Mount(func(d *wire.Door) []wire.Route {
		return dynos.New(d, dynos.Parts{
			Sizes: wiretest.Sizes, Formations: r.DB, Images: f, Deployer: r.Releaser, Dynos: r.DB, OneOffs: f,
			Attach: http.HandlerFunc(attached), RendezvousPort: "5443", Access: f, Schedules: r.DB, Scheduler: room,
		}).Routes()
	})
}

func attached(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "attached at "+r.URL.Path)
}

// fake stands for the registry and for the rooms that clients of dynos connect to.
type fake struct {
	ran   []renga.OneOff
	still func(context.Context) error // that of the last client
}

// Find knows the image of one digest and the tag fresh.
func (*fake) Find(
	_ context.Context, app string, t renga.ProcessType, ref string,
) (map[renga.ProcessType]renga.Image, error) {
	for _, n := range []int{4, 9} {
		if img := wiretest.Image(t, n); ref == img.Digest || ref == "fresh" && n == 9 {
			return map[renga.ProcessType]renga.Image{t: img}, nil
		}
	}
	return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s.", ref, app, t)
}

func (f *fake) RunOneOff(
	_ context.Context, a renga.App, asked renga.OneOff, still func(context.Context) error,
) (d renga.Dyno, secret string, err error) {
	if asked.Type == "clock" {
		return renga.Dyno{}, "", renga.Errorf(renga.Invalid, "There is no clock.")
	}
	if asked.Attach {
		secret = "s3cr3t"
	}
	f.still, f.ran = still, append(f.ran, asked)
	return renga.Dyno{
		ID: wiretest.OfferID, App: a.ID, Name: "run.1234", Type: renga.Run, Size: "eco", Release: 3,
		Command: []string{"/bin/sh", "-c", asked.Command}, State: renga.Starting, Since: wiretest.Born,
		Created: wiretest.Born,
	}, secret, nil
}

func (f *fake) Exec(_ context.Context, _ renga.App, c dynos.Command) (secret string, err error) {
	if f.still = c.Still; c.Terminal != nil {
		c.Line += fmt.Sprintf("-%dx%d", c.Terminal.Columns, c.Terminal.Rows)
	}
	return c.Dyno + "-" + c.Line, nil
}

func (f *fake) Admit(_ renga.App, dyno, key string, still func(context.Context) error) (user string, err error) {
	f.still = still
	return "client of " + dyno + " with " + key, nil
}

func (*fake) HostKey() string { return "ssh-ed25519 BBBB" }

// fakeOf is the fake of a fixture.
func fakeOf(r *fixture) *fake { return r.Fakes[0].(*fake) }

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
