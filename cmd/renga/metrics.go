package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"renga/logs"
	"renga/registry"
	"renga/router"
	"renga/runtime"
)

// newMetrics serves the rooms' own counts at /metrics. It has a registry of its
// own, for distribution fills the default one.
func (p *platform) newMetrics() http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&roomCounts{registry: p.registry, manager: p.manager, router: p.router, logs: p.logs},
		&addOnUsages{p.measurer},
		diskUses{p.space},
		collections{p.collector},
		p.sampler,
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(all, promhttp.HandlerOpts{}))
	return mux
}

// roomCounts reads what the rooms count when somebody asks.
type roomCounts struct {
	registry *registry.Registry
	manager  *runtime.Manager
	router   *router.Router
	logs     *logs.Logs
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("renga_"+name, help, labels, nil)
}

var (
	pushes     = desc("registry_pushes_total", "Image pushes by what became of them.", "result")
	intents    = desc("registry_intents", "Pushes whose release is not made yet.")
	diskFree   = desc("disk_free_bytes", "Free disk below the data directory.")
	requests   = desc("router_requests_total", "Finished requests by class of their status.", "class")
	failures   = desc("router_errors_total", "Requests the router answered itself, by Heroku's code.", "code")
	inFlight   = desc("router_requests_in_flight", "Requests under way.")
	routedApps = desc("router_apps", "Apps with a route.")
	logLines   = desc("log_lines_total", "Lines of apps' logs by what became of them: kept; lost, for the disk did not "+
		"take them; dropped, for they came too fast; missed by readers that were too slow; undrained, for drains did not "+
		"take them in time.", "result")
	dynoStates   = desc("dynos", "Dynos by state.", "state")
	looks        = desc("manager_looks_total", "Looks of the dyno manager at an app.")
	steps        = desc("manager_steps_total", "Steps taken by the dyno manager.", "step")
	failingLooks = desc("manager_look_errors_total", "Looks that ended in an error.")
)

// Describe tells nothing: the set of labels is open.
func (*roomCounts) Describe(chan<- *prometheus.Desc) {}

// Collect reads all counts.
func (r *roomCounts) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	reg := r.registry.Stats()
	count(pushes, float64(reg.Acknowledged), "acknowledged")
	count(pushes, float64(reg.Refused), "refused")
	count(pushes, float64(reg.Recovered), "recovered")
	gauge(intents, float64(reg.Waiting))
	gauge(diskFree, float64(reg.FreeBytes))
	rt := r.router.Stats()
	for class, n := range rt.ByClass {
		count(requests, float64(n), strconv.Itoa(class)+"xx")
	}
	for code, n := range rt.ByFailure {
		count(failures, float64(n), string(code))
	}
	gauge(inFlight, float64(rt.InFlight))
	gauge(routedApps, float64(rt.Apps))
	lines := r.logs.Stats()
	count(logLines, float64(lines.Lines), "kept")
	count(logLines, float64(lines.Lost), "lost")
	count(logLines, float64(lines.Dropped), "dropped")
	count(logLines, float64(lines.Missed), "missed")
	count(logLines, float64(lines.Undrained), "undrained")
	r.collectManager(count, gauge)
}

func (r *roomCounts) collectManager(count, gauge func(*prometheus.Desc, float64, ...string)) {
	m := r.manager.Stats()
	for state, n := range m.Dynos {
		gauge(dynoStates, float64(n), string(state))
	}
	count(looks, float64(m.Looks))
	for step, n := range m.Steps {
		count(steps, float64(n), step)
	}
	count(failingLooks, float64(m.Errors))
}
