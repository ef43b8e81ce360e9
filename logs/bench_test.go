package logs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"renga"
	"renga/logs"
)

// benchLines are kept in one go, as they come from a dyno that prints a lot.
const benchLines = 100

// BenchmarkLines is how fast the lines of one dyno go into the ring, and through
// it to tails that read along. Lost are those that a tail did not get.
func BenchmarkLines(b *testing.B) {
	for _, tails := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("tails=%d", tails), func(b *testing.B) {
			l := benchLogs(b)
			all := uint64(b.N) * benchLines
			missed := make(chan uint64, tails)
			for range tails {
				go func() { missed <- tailTo(b, l, all) }()
			}
			lines := make([]renga.LogLine, benchLines)
			for n := range lines {
				lines[n] = line("web.1", strings.Repeat("x", 100))
			}
			b.ResetTimer()
			for n := range b.N {
				l.Keep(app, "i", lines, renga.LogMark{Since: noon, Until: noon, Count: n})
			}
			lost := uint64(0)
			for range tails {
				lost += <-missed
			}
			b.ReportMetric(float64(all)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(lost), "lost")
			b.ReportMetric(0, "ns/op") // it is of many lines
		})
	}
}

func benchLogs(b *testing.B) *logs.Logs {
	b.Helper()
	l, err := logs.New(logs.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() }) // it is thrown away
	return l
}

// tailTo reads up to a line and tells how many of the lines it missed.
func tailTo(b *testing.B, l *logs.Logs, end uint64) (missed uint64) {
	enough := errors.New("enough")
	err := l.Follow(b.Context(), app, 0, func(lines []renga.LogLine, m uint64) error {
		missed += m
		if lines[len(lines)-1].ID == end {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		b.Error(err)
	}
	return missed
}

// BenchmarkOffer is what a line costs the request that it is about, while it is
// written on the side. Dropped are those that came too fast.
func BenchmarkOffer(b *testing.B) {
	l := benchLogs(b)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	one := text(strings.Repeat("x", 200))
	b.ReportAllocs()
	for b.Loop() {
		l.Offer(app, renga.SourceHeroku, "router", one)
	}
	b.ReportMetric(float64(l.Stats().Dropped)/float64(b.N), "dropped/op")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
