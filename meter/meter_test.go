package meter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"renga"
	"renga/meter"
)

const mb = 1 << 20

var (
	start  = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	shop   = renga.App{ID: "1", Name: "shop"}
	logged = renga.App{ID: "2", Name: "told", Features: map[string]bool{renga.RuntimeMetrics: true}}
)

// fixture is a meter with the fakes of its parts.
type fixture struct {
	*testing.T
	*meter.Counter
	*meter.Sampler
	now     time.Time
	apps    map[renga.AppID]renga.App
	dynos   []renga.Dyno
	samples []renga.Sample
	failing error
	lines   []string
	minutes map[renga.AppID][]renga.Minute
}

func newFixture(t *testing.T) *fixture {
	r := &fixture{
		T: t, Counter: &meter.Counter{}, now: start, apps: map[renga.AppID]renga.App{},
		minutes: map[renga.AppID][]renga.Minute{},
	}
	r.Sampler = meter.NewSampler(meter.Options{Now: func() time.Time { return r.now }}, r.Counter, r, r, r)
	r.apps[shop.ID], r.apps[logged.ID] = shop, logged
	return r
}

func (r *fixture) Samples(context.Context) ([]renga.Sample, error) { return r.samples, r.failing }
func (r *fixture) Dynos() []renga.Dyno                             { return r.dynos }
func (r *fixture) Apps() map[renga.AppID]renga.App                 { return r.apps }

func (r *fixture) Line(app renga.AppID, source, dyno, text string) {
	r.lines = append(r.lines, string(app)+" "+source+"["+dyno+"]: "+text)
}

func (r *fixture) AddMinutes(_ context.Context, app renga.AppID, of []renga.Minute) error {
	r.minutes[app] = append(r.minutes[app], of...)
	return nil
}

// uses makes a dyno one that uses so much.
func (r *fixture) uses(a renga.App, name string, u renga.Usage) renga.Sample {
	typ, _, err := renga.ParseDynoName(name)
	if err != nil {
		r.Fatal(err)
	}
	return renga.Sample{
		App: a, Dyno: "id-" + name, Name: name, Type: typ, Quota: 512 * mb, Started: start.Add(-time.Hour), At: r.now,
		Usage: u,
	}
}

// after lets time pass and reads.
func (r *fixture) after(d time.Duration, samples ...func() renga.Sample) {
	r.now = r.now.Add(d)
	r.samples = nil
	for _, s := range samples {
		r.samples = append(r.samples, s())
	}
	r.Read(r.Context())
}

func TestLinesAreHerokusWhereTheFeatureIsOn(t *testing.T) {
	r := newFixture(t)
	dyno := func(a renga.App, cpu time.Duration) func() renga.Sample {
		return func() renga.Sample {
			return r.uses(a, "web.1", renga.Usage{
				RSS: 21.5 * mb, Cache: mb / 4, Swap: mb, PagesIn: 300, PagesOut: 200, CPU: cpu,
			})
		}
	}
	r.after(0, dyno(shop, 0))
	r.after(20*time.Second, dyno(shop, time.Second))
	if len(r.lines) != 0 {
		t.Fatalf("without the feature the log gets %q", r.lines)
	}
	r = newFixture(t)
	r.after(0, dyno(logged, time.Minute))
	r.after(20*time.Second, dyno(logged, time.Minute+40*time.Second)) // two processors
	memory := "2 heroku[web.1]: source=web.1 dyno=heroku.id-web.1 sample#memory_total=22.75MB sample#memory_rss=21.50MB " +
		"sample#memory_cache=0.25MB" +
		" sample#memory_swap=1.00MB sample#memory_pgpgin=300pages sample#memory_pgpgout=200pages sample#memory_quota=512.00MB"
	want := []string{
		memory, // the load is not known of the first time
		"2 heroku[web.1]: source=web.1 dyno=heroku.id-web.1 sample#load_avg_1m=0.57 sample#load_avg_5m=0.13 " +
			"sample#load_avg_15m=0.04",
		memory,
	}
	if !slices.Equal(r.lines, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(r.lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheLoadOfANewDynoIsKnownFromItsStartOn(t *testing.T) {
	r := newFixture(t)
	r.after(20*time.Second, func() renga.Sample {
		s := r.uses(logged, "web.1", renga.Usage{CPU: 10 * time.Second})
		s.Started = start.Add(10 * time.Second)
		return s
	})
	if len(r.lines) != 2 || !strings.Contains(r.lines[0], "load_avg_1m=0.15") {
		t.Errorf("lines %q", r.lines)
	}
}

func TestOverItsQuotaADynoIsToldAtEachReading(t *testing.T) {
	r := newFixture(t)
	at := func(u renga.Usage) func() renga.Sample {
		return func() renga.Sample { return r.uses(shop, "worker.1", u) }
	}
	r.after(0, at(renga.Usage{RSS: 512 * mb, Cache: 500 * mb})) // files do not count
	r.after(20*time.Second, at(renga.Usage{RSS: 500 * mb, Swap: 29 * mb}))
	r.after(20*time.Second, at(renga.Usage{RSS: 600 * mb}))
	want := []string{
		"1 heroku[worker.1]: Process running mem=529M(103.3%)", "1 heroku[worker.1]: Error R14 (Memory quota exceeded)",
		"1 heroku[worker.1]: Process running mem=600M(117.2%)", "1 heroku[worker.1]: Error R14 (Memory quota exceeded)",
	}
	if !slices.Equal(r.lines, want) {
		t.Errorf("lines %q, want %q", r.lines, want)
	}
}

func TestMinutesAreSummedUp(t *testing.T) {
	r := newFixture(t)
	web := func(name string, rss int64, cpu time.Duration) func() renga.Sample {
		return func() renga.Sample { return r.uses(shop, name, renga.Usage{RSS: rss * mb, CPU: cpu}) }
	}
	r.Request(shop.ID, "", 200, time.Second) // before the first reading is before the first minute
	r.after(0, web("web.1", 100, 0))
	r.Request(shop.ID, "", 200, 30*time.Millisecond)
	r.Request(shop.ID, "H12", 503, 90*time.Millisecond)
	r.Request(logged.ID, "", 404, 2*time.Millisecond) // it has no dyno
	r.after(20*time.Second, web("web.1", 120, 3*time.Second), web("web.2", 80, 0))
	r.after(20*time.Second, web("web.1", 140, 6*time.Second))
	r.after(20*time.Second, web("web.1", 1, 6*time.Second)) // the next minute
	want := map[renga.AppID][]renga.Minute{
		shop.ID: {{
			At: start, Type: renga.Web, Dynos: 2, Memory: 110 * mb, MaxMemory: 140 * mb, Quota: 512 * mb, CPU: 0.1,
			Requests: 2, Errors: 1, Service: 60 * time.Millisecond,
		}},
		logged.ID: {{At: start, Type: renga.Web, Requests: 1, Service: 2 * time.Millisecond}},
	}
	for app, minutes := range want {
		if !slices.Equal(r.minutes[app], minutes) {
			t.Errorf("app %s: %+v, want %+v", app, r.minutes[app], minutes)
		}
	}
	r.after(time.Minute)
	if n := len(r.minutes[logged.ID]); n != 1 {
		t.Errorf("an app that does nothing has %d minutes, want that of before", n)
	}
}

func TestPrometheusGetsAppAndProcessType(t *testing.T) {
	r := newFixture(t)
	r.dynos = []renga.Dyno{
		{App: shop.ID, Type: "worker", State: renga.Crashed}, {App: shop.ID, Type: "worker", State: renga.Up},
	}
	sample := func(cpu time.Duration) func() renga.Sample {
		return func() renga.Sample { return r.uses(shop, "worker.1", renga.Usage{RSS: mb, CPU: cpu}) }
	}
	r.after(0, sample(0))
	r.after(20*time.Second, sample(5*time.Second))
	r.after(60*time.Second, sample(6*time.Second)) // in another minute
	r.Request(shop.ID, "", 200, 30*time.Millisecond)
	r.Request(shop.ID, "H12", 503, 31*time.Second)
	r.Request("gone", "", 200, 0)
	want := `
# HELP renga_app_cpu_seconds_total Processors' time that dynos have used.
# TYPE renga_app_cpu_seconds_total counter
renga_app_cpu_seconds_total{app="shop",process_type="worker"} 6
# HELP renga_app_dynos Dynos by state.
# TYPE renga_app_dynos gauge
renga_app_dynos{app="shop",process_type="worker",state="crashed"} 1
renga_app_dynos{app="shop",process_type="worker",state="up"} 1
# HELP renga_app_memory_bytes Memory that dynos use, swap included and files' cache left out, all dynos of a process type together.
# TYPE renga_app_memory_bytes gauge
renga_app_memory_bytes{app="shop",process_type="worker"} 1.048576e+06
# HELP renga_app_request_seconds Time from a request to its answer's end.
# TYPE renga_app_request_seconds histogram
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.005"} 0
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.01"} 0
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.025"} 0
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.05"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.1"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.25"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="0.5"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="1"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="2.5"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="5"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="10"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="30"} 1
renga_app_request_seconds_bucket{app="shop",process_type="web",le="+Inf"} 2
renga_app_request_seconds_sum{app="shop",process_type="web"} 31.03
renga_app_request_seconds_count{app="shop",process_type="web"} 2
# HELP renga_app_requests_total Finished requests by Heroku's code or, when all went well, by the class of their status.
# TYPE renga_app_requests_total counter
renga_app_requests_total{app="shop",code="2xx",process_type="web"} 1
renga_app_requests_total{app="shop",code="H12",process_type="web"} 1
`
	if err := testutil.CollectAndCompare(r.Sampler, strings.NewReader(want), "renga_app_cpu_seconds_total",
		"renga_app_dynos",
		"renga_app_memory_bytes", "renga_app_request_seconds", "renga_app_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	r := newFixture(t)
	for n := range 1500 {
		id := renga.AppID(time.Duration(n).String())
		r.apps[id] = renga.App{ID: id, Name: "app-" + string(id)}
		r.Request(id, "", 200, time.Millisecond)
	}
	if n := testutil.CollectAndCount(r.Sampler, "renga_app_requests_total"); n != 1001 {
		t.Errorf("%d series, want one for each of 1,000 and one for all others", n)
	}
	r.apps = map[renga.AppID]renga.App{}
	r.after(20 * time.Second)
	if n := testutil.CollectAndCount(r.Sampler); n != 0 {
		t.Errorf("%d series of apps that are gone", n)
	}
}

func TestWhatCannotBeMeasuredIsKeptUntilItCan(t *testing.T) {
	r := newFixture(t)
	sample := func(cpu time.Duration) func() renga.Sample {
		return func() renga.Sample { return r.uses(logged, "web.1", renga.Usage{CPU: cpu}) }
	}
	r.after(0, sample(0))
	r.failing = errors.New("the engine is away")
	r.after(20 * time.Second)
	r.failing = nil
	r.after(20*time.Second, sample(40*time.Second))
	if last := r.lines[len(r.lines)-2]; !strings.Contains(last, "load_avg_1m=0.49") {
		t.Errorf("it was forgotten meanwhile: %s", last)
	}
}
