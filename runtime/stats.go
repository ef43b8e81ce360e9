package runtime

import (
	"maps"
	"sync"

	"renga"
)

// Stats is how the manager does, for metrics and health checks.
type Stats struct {
	Apps  int
	Dynos map[renga.DynoState]int
	Looks int64
	// Steps counts what was done: start, kill, finish, stop.
	Steps map[string]int64
	// Errors counts looks and steps that went wrong.
	Errors int64
	// EngineErr and StoreErr are what the last call answered; nil when it went
	// well.
	EngineErr, StoreErr error
}

// Stats tells how the manager does.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	apps := len(m.known)
	m.mu.Unlock()
	s := m.stats.all()
	s.Apps = apps
	return s
}

// counters gather Stats.
type counters struct {
	mu    sync.Mutex
	sum   Stats
	dynos map[renga.AppID][]renga.Dyno
}

func newCounters() *counters {
	return &counters{sum: Stats{Steps: map[string]int64{}}, dynos: map[renga.AppID][]renga.Dyno{}}
}

func (c *counters) all() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sum
	s.Steps, s.Dynos = maps.Clone(s.Steps), map[renga.DynoState]int{}
	for _, ds := range c.dynos {
		for _, d := range ds {
			s.Dynos[d.State]++
		}
	}
	return s
}

func (c *counters) allDynos() []renga.Dyno {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []renga.Dyno
	for _, ds := range c.dynos {
		all = append(all, ds...)
	}
	return all
}

func (c *counters) look(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Looks++
	if err != nil {
		c.sum.Errors++
	}
}

func (c *counters) step(verb string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Steps[verb]++
	if err != nil {
		c.sum.Errors++
	}
}

func (c *counters) engine(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.EngineErr = err
}

func (c *counters) store(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.StoreErr = err
}

func (c *counters) have(app renga.AppID, ds []renga.Dyno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dynos[app] = ds
}

func (c *counters) forget(app renga.AppID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.dynos, app)
}
