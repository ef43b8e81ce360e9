package router_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/router"
)

// tries routes the test's host to the targets, and a percentage of its requests
// to the canary.
func (f *fixture) tries(percent int, canary []renga.Target, targets ...renga.Target) {
	r := route(targets...)
	r.Canary, r.Percent = canary, percent
	f.Route(r)
}

// TestACanaryGetsItsShare: within five standard deviations, which chance leaves
// once in two million runs.
func TestACanaryGetsItsShare(t *testing.T) {
	const requests = 1000
	stable, first, second := backend(t, says("stable")), backend(t, says("canary 1")), backend(t, says("canary 2"))
	for _, percent := range []int{5, 20, 95} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			f := newFixture(t, router.Options{})
			f.tries(percent, []renga.Target{first, second}, stable)
			counts := map[string]int{}
			for range requests {
				_, body := f.get(t, "/")
				counts[body]++
			}
			got, p := counts["canary 1"]+counts["canary 2"], float64(percent)/100
			want, off := p*requests, 5*math.Sqrt(requests*p*(1-p))
			if math.Abs(float64(got)-want) > off || counts["canary 1"] == 0 || counts["canary 2"] == 0 ||
				got+counts["stable"] != requests {
				t.Errorf("the canary got %d of %d requests, want %.0f within %.0f: %v", got, requests, want, off, counts)
			}
			sum := f.Tally(appID, first.ID).Requests + f.Tally(appID, second.ID).Requests
			if sum != int64(got) {
				t.Errorf("%d requests are counted", sum)
			}
		})
	}
}

// TestARequestThatTheCanaryRefusesGoesOn: to another dyno of the canary, and to
// the release that serves when none can be connected to. It counts against the
// canary.
func TestARequestThatTheCanaryRefusesGoesOn(t *testing.T) {
	stable, dead := backend(t, says("stable")), refusing(t)
	f := newFixture(t, router.Options{Quarantine: 1}) // over at once, so that it is asked each time
	f.tries(99, []renga.Target{dead, backend(t, says("canary"))}, stable)
	for f.Tally(appID, dead.ID).Requests < 5 {
		if res, body := f.get(t, "/"); res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		r := f.record(t)
		if r.Status != http.StatusOK {
			t.Fatalf("record is %+v", r)
		}
	}
	if got := f.Tally(appID, dead.ID); got.Failed != got.Requests {
		t.Errorf("counted %+v", got)
	}
	f.tries(99, []renga.Target{dead}, stable)
	for range 50 {
		if _, body := f.get(t, "/"); body != "stable" {
			t.Fatalf("answer is %q", body)
		}
	}
}

// TestARefusedRequestStaysOnItsSide: it does not reach the canary by way of a
// broken dyno.
func TestARefusedRequestStaysOnItsSide(t *testing.T) {
	f := newFixture(t, router.Options{Quarantine: 1})
	canary := backend(t, says("canary"))
	f.tries(1, []renga.Target{canary}, refusing(t), backend(t, says("stable")))
	const requests = 500
	for range requests {
		f.get(t, "/")
	}
	if n := f.Tally(appID, canary.ID).Requests; n > 16 { // 5 and five standard deviations
		t.Errorf("%d of %d requests reached the canary", n, requests)
	}
}

func TestACanaryServesWhenNobodyElseCan(t *testing.T) {
	f := newFixture(t, router.Options{})
	canary := backend(t, says("canary"))
	f.tries(1, []renga.Target{canary}, refusing(t))
	if _, body := f.get(t, "/"); body != "canary" {
		t.Errorf("beside a broken dyno: %q", body)
	}
	f.tries(1, []renga.Target{canary})
	if _, body := f.get(t, "/"); body != "canary" {
		t.Errorf("alone: %q", body)
	}
	f.Route(idle(renga.IdleCrashed))
	if res, body := f.get(t, "/"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "H10") {
		t.Errorf("without it: %d %s", res.StatusCode, body)
	}
	if err := f.Drain(t.Context(), appID, canary.ID); err != nil {
		t.Error(err)
	}
}

// TestTakingOverKeepsTheCanarysConnections: its dynos are the same targets, with
// all that was counted.
func TestTakingOverKeepsTheCanarysConnections(t *testing.T) {
	f := newFixture(t, router.Options{})
	canary := backend(t, says("canary"))
	f.tries(99, []renga.Target{canary}, backend(t, says("stable")))
	for f.Tally(appID, canary.ID).Requests == 0 {
		f.get(t, "/")
		f.record(t)
	}
	before := f.Tally(appID, canary.ID).Requests
	f.serve(canary)
	f.get(t, "/")
	f.record(t)
	if n := f.Tally(appID, canary.ID).Requests; n != before+1 {
		t.Errorf("%d requests are counted, want %d", n, before+1)
	}
}
