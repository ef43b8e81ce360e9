package runtime

import (
	"testing"

	"renga"
)

// TestAReservationKeepsOffTheNamesOfOthers and leaves what its caller knows alone.
func TestAReservationKeepsOffTheNamesOfOthers(t *testing.T) {
	r := reservations{byDyno: map[string]reservation{}}
	taken := map[string]bool{"run.1234": true}
	first, giveBack, err := r.reserve("app", renga.Run, "a", taken)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := r.reserve("app", renga.Run, "b", taken)
	if err != nil || second == first || taken[first] || taken[second] {
		t.Errorf("%s and %s are reserved beside %v, %v", first, second, taken, err)
	}
	if len(taken) != 1 {
		t.Errorf("the caller's names are now %v", taken)
	}
	giveBack()
	if r.has("a") || !r.has("b") {
		t.Errorf("reserved are %v", r.byDyno)
	}
}
