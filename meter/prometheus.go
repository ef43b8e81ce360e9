package meter

import (
	"cmp"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"renga"
)

const (
	// maxGroups bounds the process types of all apps that have series of their
	// own: the first ones by name.
	maxGroups = 1000
	// others is the app label of all beyond maxGroups. No app can have that name.
	others = "(others)"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("renga_app_"+name, help, append([]string{"app", "process_type"}, labels...), nil)
}

var (
	memoryDesc = desc("memory_bytes",
		"Memory that dynos use, swap included and files' cache left out, all dynos of a process type together.")
	quotaDesc    = desc("memory_quota_bytes", "Memory that dynos may use, all of a process type together.")
	cpuDesc      = desc("cpu_seconds_total", "Processors' time that dynos have used.")
	dynosDesc    = desc("dynos", "Dynos by state.", "state")
	requestsDesc = desc("requests_total",
		"Finished requests by Heroku's code or, when all went well, by the class of their status.", "code")
	serviceDesc = desc("request_seconds", "Time from a request to its answer's end.")
)

var _ prometheus.Collector = (*Sampler)(nil)

// Describe tells nothing: the set of labels is open.
func (*Sampler) Describe(chan<- *prometheus.Desc) {}

// series are the figures of one process type, or of all those beyond maxGroups.
type series struct {
	memory, quota, cpu float64
	measured           bool
	states             map[renga.DynoState]int
	codes              map[string]int64
	buckets            [len(bounds) + 1]int64
	service            float64
}

// labels name a series.
type labels struct{ app, typ string }

// Collect tells what is known now.
func (m *Sampler) Collect(out chan<- prometheus.Metric) {
	for name, s := range m.series() {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, kind, v, append([]string{name.app, name.typ}, more...)...)
		}
		if s.measured {
			tell(memoryDesc, prometheus.GaugeValue, s.memory)
			tell(quotaDesc, prometheus.GaugeValue, s.quota)
			tell(cpuDesc, prometheus.CounterValue, s.cpu)
		}
		for state, n := range s.states {
			tell(dynosDesc, prometheus.GaugeValue, float64(n), string(state))
		}
		if len(s.codes) == 0 {
			continue
		}
		for code, n := range s.codes {
			tell(requestsDesc, prometheus.CounterValue, float64(n), code)
		}
		all, buckets := s.cumulated()
		out <- prometheus.MustNewConstHistogram(serviceDesc, all, s.service, buckets, name.app, name.typ)
	}
}

// cumulated are the histogram's buckets, cumulated as Prometheus wants them.
func (s *series) cumulated() (all uint64, buckets map[float64]uint64) {
	buckets = map[float64]uint64{}
	for n, bound := range bounds {
		all += uint64(s.buckets[n])
		buckets[bound] = all
	}
	return all + uint64(s.buckets[len(bounds)]), buckets
}

// series sums up by labels.
func (m *Sampler) series() map[labels]*series {
	apps, dynos := m.dynos.Apps(), m.dynos.Dynos()
	m.mu.Lock()
	defer m.mu.Unlock()
	own := m.ownLocked(apps, dynos)
	all := map[labels]*series{}
	at := func(g group) *series {
		name, ok := own[g]
		if !ok {
			name = labels{others, ""}
		}
		if all[name] == nil {
			all[name] = &series{codes: map[string]int64{}, states: map[renga.DynoState]int{}}
		}
		return all[name]
	}
	for g, s := range m.groups {
		one := at(g)
		one.measured = true
		one.cpu += s.cpu.Seconds()
	}
	for _, c := range m.seen {
		one := at(group{c.last.App.ID, c.last.Type})
		one.memory += float64(c.last.Memory())
		one.quota += float64(c.last.Quota)
	}
	for _, d := range dynos {
		at(group{d.App, d.Type}).states[d.State]++
	}
	m.requests.apps.Range(func(app, v any) bool {
		if _, known := apps[app.(renga.AppID)]; known {
			at(group{app.(renga.AppID), renga.Web}).addRequests(v.(*appCounts))
		}
		return true
	})
	return all
}

func (s *series) addRequests(v *appCounts) {
	for code, n := range v.counts() {
		s.codes[code] += n
	}
	for n := range v.buckets {
		s.buckets[n] += v.buckets[n].Load()
	}
	s.service += v.tally().service.Seconds()
}

// ownLocked gives the groups that have series of their own, with their labels.
func (m *Sampler) ownLocked(apps map[renga.AppID]renga.App, dynos []renga.Dyno) map[group]labels {
	all := map[group]labels{}
	for g := range m.groups {
		all[g] = labels{apps[g.app].Name, string(g.typ)}
	}
	for _, d := range dynos {
		all[group{d.App, d.Type}] = labels{apps[d.App].Name, string(d.Type)}
	}
	m.requests.apps.Range(func(app, _ any) bool {
		id := app.(renga.AppID)
		all[group{id, renga.Web}] = labels{apps[id].Name, string(renga.Web)}
		return true
	})
	if len(all) <= maxGroups {
		return all
	}
	order := slices.SortedFunc(maps.Keys(all), func(a, b group) int {
		return cmp.Or(cmp.Compare(all[a].app, all[b].app), cmp.Compare(a.typ, b.typ))
	})
	for _, g := range order[maxGroups:] {
		delete(all, g)
	}
	return all
}
