package events_test

import (
	"context"
	"os"
	"testing"

	"renga"
	"renga/api/events"
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
	r := wiretest.New(changes...)
	f := &fake{lines: wiretest.LogLines(), more: make(chan renga.LogLine)}
	r.Fakes = []any{f}
	return r.Mount(func(d *wire.Door) []wire.Route {
		return events.New(d, events.Parts{
			Logs: f, Drains: r.DB, Drainer: f, Webhooks: sent{r.DB}, AddOns: r.DB, Reachable: wiretest.Reachable,
			Shown: events.Shown{App: showApp}, Operator: wiretest.Ada.ID,
		}).Routes()
	})
}

// fake stands for the logs.
type fake struct {
	lines   []renga.LogLine    // of every app
	more    chan renga.LogLine // lines to come while the log is followed
	drained int                // how often the drainer was told
}

func (f *fake) Reconcile(renga.AppID) { f.drained++ }

func (f *fake) Last(_ renga.AppID, n int, filter renga.LogFilter) (lines []renga.LogLine, end uint64, err error) {
	for _, line := range f.lines {
		if filter.Matches(line) {
			lines = append(lines, line)
		}
	}
	if n >= 0 {
		lines = lines[max(0, len(lines)-n):]
	}
	return lines, uint64(len(f.lines)), nil
}

// Follow tells one line more than the newest, after three lost lines, and then
// those to come.
func (f *fake) Follow(
	ctx context.Context, _ renga.AppID, after uint64, tell func([]renga.LogLine, uint64) error,
) error {
	late := renga.LogLine{ID: after + 4, Time: wiretest.Born, Source: "app", Dyno: "web.1", Text: "late"}
	err := tell([]renga.LogLine{late}, 3)
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-f.more:
			err = tell([]renga.LogLine{line}, 0)
		}
	}
	return err
}

// sent adds an event and its delivery to the store.
type sent struct{ stored }

type stored = events.Webhooks

func (sent) Events(context.Context, renga.AppID) ([]renga.Event, error) {
	return []renga.Event{wiretest.Event()}, nil
}

func (sent) Deliveries(context.Context, renga.AppID) ([]renga.Delivery, error) {
	return wiretest.Deliveries(), nil
}

// fakeOf is the fake of a fixture.
func fakeOf(r *fixture) *fake { return r.Fakes[0].(*fake) }

// showApp shows what wiretest.Event changes of an app.
func showApp(_ context.Context, a renga.App) (any, error) {
	return map[string]any{"name": a.Name, "maintenance": a.Maintenance}, nil
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}
