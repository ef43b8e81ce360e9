package printed

import (
	"math/rand/v2"
	"testing"
	"time"

	"renga"
)

// TestAReadingTellsEachMessageOnce reads messages whose times are a little out
// of order, breaks off anywhere, and goes on from the mark.
func TestAReadingTellsEachMessageOnce(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 7))
		times := make([]time.Time, 500)
		at := time.Unix(1_700_000_000, 0)
		for n := range times {
			at = at.Add(time.Duration(dice.Int64N(int64(20*time.Millisecond)) / (1 + dice.Int64N(100))))
			if dice.IntN(50) == 0 {
				at = at.Add(time.Duration(dice.Int64N(int64(5 * time.Second)))) // silence
			}
			times[n] = at.Add(-time.Duration(dice.Int64N(int64(slack / 4))))
			if dice.IntN(3) == 0 && n > 0 {
				times[n] = times[n-1]
			}
		}
		told := make([]int, len(times))
		var mark renga.LogMark
		for tries := 0; tries < 20; tries++ {
			r, left := resume(mark), 1+dice.IntN(80)
			for n, at := range times {
				if at.Before(mark.Since) {
					continue // so does the engine
				}
				if r.fresh(at) {
					told[n]++
					left--
				}
				if left == 0 && tries < 19 {
					break
				}
			}
			mark = r.mark
		}
		for n, times := range told {
			if times != 1 {
				t.Fatalf("seed %d: message %d was told %d times", seed, n, times)
			}
		}
	}
}

func TestAReadingGoesOnWhereMessagesAreGone(t *testing.T) {
	noon := time.Unix(1_700_000_000, 0)
	r := resume(renga.LogMark{Since: noon, Until: noon.Add(time.Second), Count: 100})
	if r.fresh(noon.Add(time.Second)) {
		t.Error("a message of before the mark's end is new")
	}
	for n := range 3 { // the other 99 were rotated away
		if !r.fresh(noon.Add(time.Minute + time.Duration(n))) {
			t.Error("a message of after the mark's end is not new")
		}
	}
}

func TestAReadingOutlivesAClockThatIsSetBack(t *testing.T) {
	noon := time.Unix(1_700_000_000, 0)
	r := resume(renga.LogMark{})
	r.fresh(noon)
	if !r.fresh(noon.Add(-time.Hour)) {
		t.Error("a message of after the clock was set back is not new")
	}
	if r.mark.Since.After(noon.Add(-time.Hour)) {
		t.Errorf("the mark %v leaves out what comes now", r.mark)
	}
}
