package addons_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/addons"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/store/storetest"
)

// metered is a provider that measures. Each takes until it is let go on.
type metered struct {
	*fakeProvider
	usage   provider.Usage
	err     error
	hold    chan struct{} // nil for nothing to wait for
	now     atomic.Int32
	atMost  atomic.Int32
	measure atomic.Int32
}

// Measure implements [provider.Meter].
func (p *metered) Measure(ctx context.Context, _ provider.Instance) (provider.Usage, error) {
	p.measure.Add(1)
	if n := p.now.Add(1); n > p.atMost.Load() {
		p.atMost.Store(n)
	}
	defer p.now.Add(-1)
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
			return provider.Usage{}, ctx.Err()
		}
	}
	return p.usage, p.err
}

// limited gives all plans limits.
type limited struct{ addons.Catalogue }

// Plan is that of the catalogue.
func (c limited) Plan(name string) (catalogue.Service, catalogue.Plan, error) {
	s, p, err := c.Catalogue.Plan(name)
	p.Memory, p.Disk, p.Connections = 1000, 1000, 20
	return s, p, err
}

// measuring is a fixture with a Measurer at a time that the test sets.
type measuring struct {
	*fixture
	*addons.Measurer
	provider *metered
	time     time.Time
	machine  renga.Share
}

func newMeasuring(t *testing.T) *measuring {
	f := newFixture(t)
	m := &measuring{fixture: f, provider: &metered{fakeProvider: f.server}, time: time.Now()}
	m.restart()
	return m
}

// restart is a Measurer of a Renga that was started anew.
func (m *measuring) restart() {
	parts := m.Parts
	parts.Catalogue, parts.Providers = limited{m.Parts.Catalogue}, map[string]provider.Provider{"fake": m.provider}
	parts.Now = func() time.Time { return m.time }
	m.Measurer = addons.NewMeasurer(addons.New(parts), addons.MeasurerOptions{
		Every:   time.Minute,
		Machine: func(context.Context) (renga.Share, error) { return m.machine, nil },
	})
}

// uses has the next measurement find that.
func (m *measuring) uses(memory, data int64, connections int) {
	m.Helper()
	m.time = m.time.Add(time.Minute)
	m.provider.usage = provider.Usage{At: m.time, MemoryBytes: memory, DataBytes: data, Connections: connections}
	m.must(m.Measure(m.Context()))
}

// warnings are the lines about limits.
func (m *measuring) warnings() []string {
	return slices.DeleteFunc(m.logs.All(), func(line string) bool { return !strings.HasPrefix(line, "app[heroku-postgresql]: source=") })
}

// TestALimitIsWarnedOfOnce, and not again by each start.
func TestALimitIsWarnedOfOnce(t *testing.T) {
	m := newMeasuring(t)
	a := m.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	m.uses(100, 100, 1)
	if said := m.warnings(); len(said) > 0 {
		t.Fatalf("with nothing to say, it says %q", said)
	}
	for range 3 {
		m.uses(100, 810, 17)
		m.restart()
	}
	said := m.warnings()
	if len(said) != 2 || !strings.Contains(said[0], "data on disk are at 81%") || !strings.Contains(said[1], "connections are at 85%") {
		t.Fatalf("it says %q; want each once", said)
	}
	now, err := m.db.AddOn(t.Context(), a.ID)
	if want := (renga.Warnings{renga.MeasureData: 80, renga.MeasureConnections: 80}); err != nil || !now.Warnings.Equal(want) {
		t.Errorf("recorded is %v, %v", now.Warnings, err)
	}
	m.uses(950, 955, 10)
	m.machine = renga.Share{Used: 96, Limit: 100}
	m.uses(950, 100, 10)
	said = m.warnings()[2:]
	want := []string{"memory is at 95%", "data on disk are at 95%", "connections below 80% again: 50%",
		"data on disk below 95% again: 10%", "the disk of the machine is at 96%"}
	for i, text := range want {
		if i >= len(said) || !strings.Contains(strings.ReplaceAll(said[i], "are below", "below"), text) {
			t.Errorf("line %d of %q; want %q", i, said, text)
		}
	}
	u := m.Usage(a.ID)
	wantShares := map[renga.Measure]renga.Share{
		renga.MeasureMemory: {Used: 950, Limit: 1000}, renga.MeasureData: {Used: 100, Limit: 1000},
		renga.MeasureConnections: {Used: 10, Limit: 20}, renga.MeasureMachine: {Used: 96, Limit: 100},
	}
	if !u.At.Equal(m.time) || !maps.Equal(u.Shares, wantShares) {
		t.Errorf("it uses %+v", u)
	}
}

// TestWhatCannotBeMeasuredHoldsNothingUp: a few are measured at once, no one for
// long, and one that took its time is left alone for longer.
func TestWhatCannotBeMeasuredHoldsNothingUp(t *testing.T) {
	m := newMeasuring(t)
	for range 9 {
		m.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	}
	m.provider.err = errors.New("it does not answer")
	m.uses(0, 0, 0)
	if n := m.provider.measure.Load(); n != 9 {
		t.Errorf("%d of 9 were measured", n)
	}
	m.provider.err, m.provider.hold = nil, make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- m.Measure(t.Context()) }()
	storetest.Poll(t, "four measurements at once", func() bool { return m.provider.now.Load() >= 4 })
	m.provider.hold <- struct{}{}
	close(m.provider.hold)
	m.must(<-ended)
	if n := m.provider.atMost.Load(); n != 4 {
		t.Errorf("%d were measured at once; want 4", n)
	}
	before := m.provider.measure.Load()
	m.must(m.Measure(t.Context()))
	if n := m.provider.measure.Load(); n != before {
		t.Errorf("%d were measured again at the same time", n-before)
	}
}

// TestWhatIsGoneIsNoLongerTold.
func TestWhatIsGoneIsNoLongerTold(t *testing.T) {
	m := newMeasuring(t)
	a := m.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	m.uses(1, 1, 1)
	if all := m.Usages(); len(all) != 1 || all[0].AppName != "blog" || all[0].AddOn.ID != a.ID {
		t.Fatalf("told are %+v", all)
	}
	m.must(m.Destroy(t.Context(), a.ID, false, ada))
	m.gone(a.ID)
	m.uses(1, 1, 1)
	if all := m.Usages(); len(all) > 0 {
		t.Errorf("told are %+v", all)
	}
}
