package apps_test

import (
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

// newMeasured is a fixture with two minutes of hello.
func newMeasured(t *testing.T) *fixture {
	r, at := newFixture(), wiretest.Born.Truncate(time.Minute)
	for _, minute := range []renga.Minute{
		{
			At: at, Type: renga.Web, Dynos: 2, Memory: 1000, MaxMemory: 2000, Quota: 4000, CPU: .5, Requests: 10,
			Errors: 1, Service: 1500 * time.Microsecond,
		},
		{At: at.Add(time.Minute), Type: "worker", Dynos: 1, Memory: 500},
	} {
		if err := r.DB.AddMinutes(t.Context(), wiretest.Hello, []renga.Minute{minute}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestMetrics(t *testing.T) {
	const metrics = "/apps/hello/metrics"
	wiretest.Run(t, func(...func(*wiretest.Seed)) *fixture { return newMeasured(t) }, []scenario{
		{Name: "all of the day", URL: metrics, Has: []string{
			`[{"at":"2026-01-02T03:04:00Z","process_type":"web","dynos":2,"memory_bytes":1000,` +
				`"memory_max_bytes":2000,"memory_quota_bytes":4000,"cpus":0.5,"requests":10,"errors":1,` +
				`"service_ms":1.5},`,
			`"process_type":"worker"`,
		}},
		{
			Name: "of one process type", URL: metrics + "?process_type=worker",
			Has: []string{`[{"at":"2026-01-02T03:05:00Z","process_type":"worker"`},
		},
		{
			Name: "since a time", URL: metrics + "?since=2026-01-02T03:05:00Z",
			Has: []string{`[{"at":"2026-01-02T03:05:00Z"`},
		},
		{Name: "of a type that never ran", URL: metrics + "?process_type=clock", Has: []string{`[]`}},
		{Name: "since no time", URL: metrics + "?since=yesterday", Status: 422, Has: []string{`must be a time`}},
		{Name: "of another", URL: "/apps/other/metrics", Status: 403},
	})
}
