package meter

import (
	"fmt"
	"math"
	"time"

	"renga"
)

// loadTerms are the times over which the load is averaged.
var loadTerms = [3]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// trend is a dyno's last sample and its average load.
type trend struct {
	last      renga.Sample
	load      [3]float64 // by terms
	loadKnown bool       // load is known
}

// newTrend begins the trend of a new dyno. If it started after seen, the time
// of the last reading, its load is known from its start on; otherwise from now
// on.
func newTrend(s renga.Sample, seen time.Time) *trend {
	if s.Started.After(seen) {
		begin := s
		begin.Usage, begin.At = renga.Usage{}, s.Started
		return &trend{last: begin}
	}
	return &trend{last: s}
}

// add takes a sample, and returns the processors' time used since the last one.
//
// Heroku averages the number of tasks that could run; this averages the number
// of processors in use, which engines report. The damping is the same.
func (c *trend) add(s renga.Sample) time.Duration {
	used, took := max(0, s.CPU-c.last.CPU), s.At.Sub(c.last.At)
	c.last = s
	if took <= 0 {
		return 0
	}
	for n, term := range loadTerms {
		keep := math.Exp(-took.Seconds() / term.Seconds())
		c.load[n] = c.load[n]*keep + used.Seconds()/took.Seconds()*(1-keep)
	}
	c.loadKnown = true
	return used
}

// lines are what the app's log is told of the dyno.
func (c *trend) lines() []string {
	var all []string
	if c.last.App.FeatureOn(renga.RuntimeMetrics) {
		head := fmt.Sprintf("source=%s dyno=heroku.%s", c.last.Name, c.last.Dyno)
		if c.loadKnown {
			all = append(all, head+loadText(c.load))
		}
		all = append(all, head+memoryText(c.last))
	}
	if s := c.last; s.Quota > 0 && s.Memory() > s.Quota {
		all = append(all,
			fmt.Sprintf("Process running mem=%dM(%.1f%%)", s.Memory()>>20, float64(s.Memory())/float64(s.Quota)*100),
			"Error R14 (Memory quota exceeded)")
	}
	return all
}

func loadText(load [3]float64) string {
	return fmt.Sprintf(" sample#load_avg_1m=%.2f sample#load_avg_5m=%.2f sample#load_avg_15m=%.2f", load[0], load[1],
		load[2])
}

func memoryText(s renga.Sample) string {
	mb := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
	return fmt.Sprintf(" sample#memory_total=%.2fMB sample#memory_rss=%.2fMB sample#memory_cache=%.2fMB "+
		"sample#memory_swap=%.2fMB"+
		" sample#memory_pgpgin=%dpages sample#memory_pgpgout=%dpages sample#memory_quota=%.2fMB",
		mb(s.RSS+s.Cache+s.Swap), mb(s.RSS), mb(s.Cache), mb(s.Swap), s.PagesIn, s.PagesOut, mb(s.Quota))
}
