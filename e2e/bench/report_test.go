package bench_test

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// report is the figures of one run, in the order they were taken.
type report struct {
	rows []row
}

// row is one figure. Aim is the value it should stay below; 0 for no aim.
type row struct {
	benchmark, unit string
	value, aim      float64
	load            string
}

// add reports a figure of a benchmark. The unit names it too, as in
// "served-ms".
func (r *report) add(b *testing.B, unit string, value, aim float64) {
	b.ReportMetric(value, unit)
	b.ReportMetric(0, "ns/op") // the time of all samples together says nothing
	name := strings.TrimPrefix(b.Name(), "Benchmark")
	r.rows = append(r.rows, row{name, unit, value, aim, load()})
}

// print writes the figures as a table.
func (r *report) print(out io.Writer) {
	if len(r.rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(w, "\n| benchmark\t| figure\t| value\t| aim\t| load average\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	for _, f := range r.rows {
		aim := ""
		switch {
		case f.aim > 0 && f.value <= f.aim:
			aim = fmt.Sprintf("≤ %.4g", f.aim)
		case f.aim > 0:
			aim = fmt.Sprintf("≤ %.4g: missed", f.aim)
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %.4g\t| %s\t| %s\t|\n", f.benchmark, f.unit, f.value, aim, f.load)
	}
	_ = w.Flush() // standard output: nobody else to tell
}

// load is the machine's load average over the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// quantile gives the q-th part of all, in milliseconds: 0.5 is the median.
func quantile(all []time.Duration, q float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	at := min(int(q*float64(len(sorted))), len(sorted)-1)
	return milliseconds(sorted[at])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
