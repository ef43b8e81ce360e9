package meter

import (
	"context"
	"time"

	"renga"
)

// sums are what one process type of an app has used in the minute so far, and
// of processors since the sampler was made.
type sums struct {
	samples, memory, maxMemory, quota int64
	reading, running, most            int // the last reading, dynos in it and the most in any
	used, cpu                         time.Duration
}

func (m *Sampler) sumsOf(g group) *sums {
	s, ok := m.groups[g]
	if !ok {
		s = &sums{}
		m.groups[g] = s
	}
	return s
}

func (s *sums) add(of renga.Sample, used time.Duration, reading int) {
	if s.reading != reading {
		s.reading, s.running = reading, 0
	}
	s.running++
	s.most = max(s.most, s.running)
	s.samples++
	s.memory += of.Memory()
	s.maxMemory = max(s.maxMemory, of.Memory())
	s.quota = of.Quota
	s.used += used
	s.cpu += used
}

// minute turns the sums into a minute; there must be at least one sample.
func (s *sums) minute(at time.Time, typ renga.ProcessType) renga.Minute {
	return renga.Minute{
		At: at, Type: typ, Dynos: s.most, Memory: s.memory / s.samples, MaxMemory: s.maxMemory, Quota: s.quota,
		CPU: s.used.Seconds() / time.Minute.Seconds(),
	}
}

// flushMinute hands the minute to the history once it is over, and begins
// another. If the history fails the minute is lost: a gap in a plot.
func (m *Sampler) flushMinute(ctx context.Context) {
	now := m.opts.Now().UTC().Truncate(time.Minute)
	if m.minute.Equal(now) {
		return
	}
	over := m.minute
	m.minute = now
	apps := m.dynos.Apps()
	if over.IsZero() {
		m.requests.minutes(apps)
		return
	}
	for app, minutes := range m.minutes(over, apps) {
		if err := m.history.AddMinutes(ctx, app, minutes); err != nil && renga.KindOf(err) != renga.NotFound {
			m.opts.Log.WarnContext(ctx, "cannot keep what the app used", "app", apps[app].Name, "err", err)
		}
	}
}

// minutes sums a minute up, for all apps that did anything in it.
func (m *Sampler) minutes(at time.Time, apps map[renga.AppID]renga.App) map[renga.AppID][]renga.Minute {
	all := m.sumUp(at)
	for app, v := range m.requests.minutes(apps) {
		g := group{app, renga.Web}
		one := all[g]
		one.At, one.Type, one.Requests, one.Errors, one.Service = at, renga.Web, v.requests, v.errors, v.service
		all[g] = one
	}
	byApp := map[renga.AppID][]renga.Minute{}
	for g, one := range all {
		byApp[g.app] = append(byApp[g.app], one)
	}
	return byApp
}

// sumUp ends the sums of a minute.
func (m *Sampler) sumUp(at time.Time) map[group]renga.Minute {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[group]renga.Minute{}
	for g, s := range m.groups {
		if s.samples > 0 {
			all[g] = s.minute(at, g.typ)
		}
		m.groups[g] = &sums{cpu: s.cpu}
	}
	return all
}
