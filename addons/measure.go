package addons

import (
	"context"
	"maps"
	"sync"
	"time"

	"renga"
	"renga/addons/provider"
)

// MeasurerOptions are a Measurer's.
type MeasurerOptions struct {
	Every time.Duration // between two measurements of an add-on
	// Machine is how much of the disk is used that add-ons keep their data on.
	Machine func(context.Context) (renga.Share, error)
}

// Measurer finds out what add-ons use, and warns of limits before they are hit. Its
// methods may be called at once from several goroutines.
type Measurer struct {
	MeasurerOptions
	of *Service

	mu   sync.Mutex
	last map[renga.AddOnID]Measured
}

// Measured is an add-on with what it used last.
type Measured struct {
	AddOn   renga.AddOn
	AppName string
	Usage   renga.AddOnUsage
	next    time.Time // when it is measured again
}

// NewMeasurer makes a Measurer of a room's add-ons, which measures in Run.
func NewMeasurer(of *Service, o MeasurerOptions) *Measurer {
	return &Measurer{MeasurerOptions: o, of: of, last: map[renga.AddOnID]Measured{}}
}

const (
	// measureAtOnce is how many add-ons are measured at once, and measureLimit how
	// long one may take.
	measureAtOnce = 4
	measureLimit  = 15 * time.Second
	// measureEase is how many times as long as measuring an add-on took it is then
	// left alone at least, so that a slow one is not kept busy with it.
	measureEase = 20
)

// Run measures until ctx ends.
func (m *Measurer) Run(ctx context.Context) error {
	for {
		if err := m.Measure(ctx); err != nil && ctx.Err() == nil {
			m.of.Log.Warn("add-ons are not measured", "err", err)
		}
		if !wait(ctx, m.Every) {
			return nil
		}
	}
}

// Measure measures those add-ons whose time has come, once each.
func (m *Measurer) Measure(ctx context.Context) error {
	all, err := m.of.Store.AddOns(ctx)
	if err != nil {
		return err
	}
	m.keep(all)
	machine, err := m.Machine(ctx)
	if err != nil {
		m.of.Log.Debug("the disk of add-ons is not measured", "err", err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, measureAtOnce)
	for _, a := range all {
		if a.State != renga.Provisioned || !m.due(a.ID) {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			m.one(ctx, a, machine)
		})
	}
	return nil
}

// one measures one add-on.
func (m *Measurer) one(ctx context.Context, a renga.AddOn, machine renga.Share) {
	e, err := m.of.planned(a)
	meter, ok := e.by.(provider.Meter)
	if err != nil || !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	began := m.of.Now()
	used, err := meter.Measure(ctx, e.Instance)
	if err != nil { // it is looked after elsewhere
		m.of.Log.Debug("an add-on is not measured", "addon", a.Name, "err", err)
		return
	}
	app, err := m.of.Apps.App(ctx, a.App)
	if err != nil {
		return
	}
	u := renga.AddOnUsage{At: used.At, Shares: shares(e, used, machine)}
	now := m.of.Now()
	m.note(Measured{AddOn: a, AppName: app.Name, Usage: u, next: now.Add(max(m.Every/2, measureEase*now.Sub(began)))})
	if err := m.of.warn(ctx, a, u); err != nil {
		m.of.Log.Warn("a warning of an add-on is not recorded", "addon", a.Name, "err", err)
	}
}

// shares are what was measured beside the plan's limits.
func shares(e entry, used provider.Usage, machine renga.Share) map[renga.Measure]renga.Share {
	all := map[renga.Measure]renga.Share{}
	if used.MemoryBytes > 0 {
		all[renga.MeasureMemory] = renga.Share{Used: used.MemoryBytes, Limit: int64(e.Plan.Memory)}
	}
	if used.Connections >= 0 {
		all[renga.MeasureConnections] = renga.Share{Used: int64(used.Connections), Limit: int64(e.Plan.Connections)}
	}
	if e.Plan.Disk > 0 {
		all[renga.MeasureData] = renga.Share{Used: used.DataBytes, Limit: int64(e.Plan.Disk)}
		if machine.Limit > 0 {
			all[renga.MeasureMachine] = machine
		}
	}
	return all
}

// warn records which limits an add-on is near, and says what has changed of that: the
// record tells webhooks, and a start what was said already.
func (s *Service) warn(ctx context.Context, a renga.AddOn, u renga.AddOnUsage) error {
	if warningsNow(a.Warnings, u).Equal(a.Warnings) {
		return nil
	}
	var lines []string
	err := s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		if err := there(x); err != nil {
			return err
		}
		now := warningsNow(x.Warnings, u)
		lines = crossed(*x, x.Warnings, now, u)
		x.Warnings = now
		return nil
	})
	if err != nil {
		return err
	}
	for _, line := range lines {
		s.Logs.Line(a.App, renga.SourceApp, a.Service, line)
	}
	return nil
}

// due tells whether an add-on is to be measured now.
func (m *Measurer) due(id renga.AddOnID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.of.Now().Before(m.last[id].next)
}

func (m *Measurer) note(x Measured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[x.AddOn.ID] = x
}

// keep forgets add-ons that are gone.
func (m *Measurer) keep(all []renga.AddOn) {
	there := map[renga.AddOnID]bool{}
	for _, a := range all {
		there[a.ID] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.last, func(id renga.AddOnID, _ Measured) bool { return !there[id] })
}

// Usage is what an add-on used when it was measured last; zero before that.
func (m *Measurer) Usage(id renga.AddOnID) renga.AddOnUsage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[id].Usage
}

// Usages are all add-ons that were measured.
func (m *Measurer) Usages() []Measured {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Measured, 0, len(m.last))
	for _, x := range m.last {
		all = append(all, x)
	}
	return all
}
