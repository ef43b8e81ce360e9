package renga

import (
	"maps"
	"slices"
	"time"
)

// Measure is something that an add-on uses up.
type Measure string

// The measures.
const (
	MeasureMemory      Measure = "memory"      // bytes of memory
	MeasureData        Measure = "data"        // bytes of data on disk
	MeasureConnections Measure = "connections" // that clients have open
	// MeasureMachine is the disk of the machine, in bytes, which all add-ons share.
	MeasureMachine Measure = "machine"
)

// Measures are all of them, in the order in which they are told.
var Measures = []Measure{MeasureMemory, MeasureData, MeasureConnections, MeasureMachine}

// Share is how much of something is used. Limit is 0 where there is none.
type Share struct{ Used, Limit int64 }

// Percent is the part that is used, rounded down; 0 where there is no limit.
func (s Share) Percent() int {
	if s.Limit <= 0 {
		return 0
	}
	return int(float64(s.Used) * 100 / float64(s.Limit))
}

// AddOnUsage is what an add-on used when it was measured. What is not known of it
// is not there.
type AddOnUsage struct {
	At     time.Time
	Shares map[Measure]Share
}

// Warnings are how full an add-on is told to be: by what is used up, the percentage
// that it went over. What is not there is not near its limit.
type Warnings map[Measure]int

// Of are those measures that there is a warning of, in order.
func (w Warnings) Of() []Measure {
	return slices.DeleteFunc(slices.Clone(Measures), func(m Measure) bool { return w[m] == 0 })
}

// Equal tells whether both say the same.
func (w Warnings) Equal(o Warnings) bool { return maps.Equal(w, o) }
