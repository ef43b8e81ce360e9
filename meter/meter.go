// Package meter measures what apps use and do: memory and processors of their
// dynos, requests to them. It reports that in three places: in the app's log,
// as Heroku's log-runtime-metrics and its codes R14 and R15 do; to Prometheus;
// and, minute by minute, to the store, for plots.
//
// Dynos are read every 20 seconds. Requests are counted as they end, without a
// lock.
package meter

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"renga"
)

// Dynos tells what runs.
type Dynos interface {
	// Samples tells what every running dyno uses. Beside an error it returns what
	// it could find out.
	Samples(ctx context.Context) ([]renga.Sample, error)
	// Dynos are all dynos, also those that do not run.
	Dynos() []renga.Dyno
	// Apps are all apps, as they were found last.
	Apps() map[renga.AppID]renga.App
}

// AppLog takes lines of apps' logs.
type AppLog interface {
	Line(app renga.AppID, source, dyno, text string)
}

// History keeps minutes.
type History interface {
	// AddMinutes adds what the process types of an app did in one minute.
	AddMinutes(ctx context.Context, app renga.AppID, of []renga.Minute) error
}

// Options are a Sampler's settings. Zero values mean the defaults.
type Options struct {
	Every time.Duration // between two readings; 20s
	Log   *slog.Logger
	Now   func() time.Time
}

// Sampler reads what dynos use, and what a Counter has counted. All methods may be
// called at once.
type Sampler struct {
	opts     Options
	dynos    Dynos
	appLog   AppLog
	history  History
	began    time.Time
	requests *Counter

	// What only Read touches:
	failed bool      // the last reading, as the log was told
	minute time.Time // that is being summed up

	mu       sync.Mutex
	readings int
	seen     map[string]*trend // by the dyno's id
	groups   map[group]*sums
}

// group is the dynos of one process type of an app.
type group struct {
	app renga.AppID
	typ renga.ProcessType
}

// NewSampler makes a Sampler, which reads dynos in Run.
func NewSampler(o Options, c *Counter, d Dynos, l AppLog, h History) *Sampler {
	if o.Every <= 0 {
		o.Every = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sampler{
		opts: o, requests: c, dynos: d, appLog: l, history: h, began: o.Now(),
		seen: map[string]*trend{}, groups: map[group]*sums{},
	}
}

// Run reads until ctx ends. The minute that is under way then is lost.
func (m *Sampler) Run(ctx context.Context) error {
	tick := time.NewTicker(m.opts.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			m.Read(ctx)
		}
	}
}

// Read reads every dyno once and reports what it found. It is for one caller at
// a time.
func (m *Sampler) Read(ctx context.Context) {
	m.flushMinute(ctx)
	samples, err := m.dynos.Samples(ctx)
	if err != nil && ctx.Err() == nil && !m.failed {
		m.opts.Log.WarnContext(ctx, "cannot measure every dyno", "err", err)
	}
	m.failed = err != nil
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readings++
	there := map[string]bool{}
	for _, s := range samples {
		there[s.Dyno] = true
		m.takeLocked(s)
	}
	if err == nil {
		m.forgetLocked(there)
	}
}

// takeLocked notes what one dyno uses.
func (m *Sampler) takeLocked(s renga.Sample) {
	c, known := m.seen[s.Dyno]
	if !known {
		c = newTrend(s, m.began)
		m.seen[s.Dyno] = c
	}
	m.sumsOf(group{s.App.ID, s.Type}).add(s, c.add(s), m.readings)
	for _, text := range c.lines() {
		m.appLog.Line(s.App.ID, renga.SourceHeroku, s.Name, text)
	}
}

// forgetLocked forgets dynos that no longer run, and apps that are gone.
func (m *Sampler) forgetLocked(there map[string]bool) {
	for id := range m.seen {
		if !there[id] {
			delete(m.seen, id)
		}
	}
	apps := m.dynos.Apps()
	for g := range m.groups {
		if _, ok := apps[g.app]; !ok {
			delete(m.groups, g)
		}
	}
	m.requests.keep(apps)
}
