package docker

import (
	"testing"
	"time"

	"renga/docker"
)

func TestCheckOfAnImageIsBounded(t *testing.T) {
	const s, ms, h = time.Second, time.Millisecond, time.Hour
	type check = docker.Check
	for _, c := range []struct {
		name        string
		asked, made check
	}{
		{"nothing said", check{}, check{Interval: 10 * s}},
		{
			"usual",
			check{Interval: 5 * s, Timeout: 3 * s, StartPeriod: 20 * s, Retries: 5},
			check{Interval: 5 * s, Timeout: 3 * s, StartPeriod: 20 * s, Retries: 5},
		},
		{"without end", check{Interval: ms, Timeout: ms}, check{Interval: s, Timeout: s}},
		{
			"never failing",
			check{Interval: h, Timeout: h, StartPeriod: h, Retries: 1 << 30},
			check{Interval: 10 * s, Timeout: 60 * s, StartPeriod: 300 * s, Retries: 10},
		},
		{"negative", check{Interval: -s, Timeout: -s, StartPeriod: -s, Retries: -1}, check{Interval: 10 * s, Timeout: s}},
	} {
		made := boundedCheck(c.asked)
		if made.Interval != c.made.Interval || made.Timeout != c.made.Timeout || made.StartPeriod != c.made.StartPeriod ||
			made.Retries != c.made.Retries {
			t.Errorf("%s: made %+v; want %+v", c.name, *made, c.made)
		}
	}
}
