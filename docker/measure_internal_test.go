package docker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"renga"
)

// TestUsageIsReadFromEitherVersionOfCgroups: the answers are cut down from those
// of daemons with each.
func TestUsageIsReadFromEitherVersionOfCgroups(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   renga.Usage
	}{
		"version 1": {
			`{"cpu_stats":{"cpu_usage":{"total_usage":1500000000}},"memory_stats":{"usage":7000000,"limit":536870912,
			  "stats":{"cache":2000,"rss":3000,"swap":4000,"pgpgin":5,"pgpgout":6,"total_rss":3000,"inactive_file":1000}}}`,
			renga.Usage{RSS: 3000, Cache: 2000, Swap: 4000, PagesIn: 5, PagesOut: 6, CPU: 1500 * time.Millisecond},
		},
		"version 2": {
			`{"cpu_stats":{"cpu_usage":{"total_usage":20}},"memory_stats":{"usage":7000000,"limit":536870912,
			  "stats":{"anon":3000,"file":2000,"inactive_file":1000,"pgfault":7,"pgmajfault":1}}}`,
			renga.Usage{RSS: 3000, Cache: 2000, PagesIn: 7, CPU: 20},
		},
	} {
		var stats container.StatsResponse
		if err := json.Unmarshal([]byte(c.answer), &stats); err != nil {
			t.Fatal(err)
		}
		if got := usage(stats); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
