package api_test

import "testing"

func TestMetrics(t *testing.T) {
	const metrics = "/apps/hello/metrics"
	run(t, []scenario{
		{name: "all of the day", url: metrics, has: []string{
			`[{"at":"2026-01-02T03:04:00Z","process_type":"web","dynos":2,"memory_bytes":1000,"memory_max_bytes":2000,"memory_quota_bytes":4000,"cpus":0.5,"requests":10,"errors":1,"service_ms":1.5},`,
			`"process_type":"worker"`,
		}},
		{name: "of one process type", url: metrics + "?process_type=worker", has: []string{`[{"at":"2026-01-02T03:05:00Z","process_type":"worker"`}},
		{name: "since a time", url: metrics + "?since=2026-01-02T03:05:00Z", has: []string{`[{"at":"2026-01-02T03:05:00Z"`}},
		{name: "of a type that never ran", url: metrics + "?process_type=clock", has: []string{`[]`}},
		{name: "since no time", url: metrics + "?since=yesterday", status: 422, has: []string{`must be a time`}},
		{name: "of another", url: "/apps/other/metrics", status: 403},
	})
}
