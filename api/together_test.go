package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"renga/api/wire/wiretest"
)

// TestParallelConfigSetsLoseNothing checks that a hundred changes of one app at
// once make a hundred releases without a gap in their versions, and that all of
// them hold in the end.
func TestParallelConfigSetsLoseNothing(t *testing.T) {
	const changes = 100
	h := newPlatform(t, wiretest.NewStore())
	h.must(t, "POST", "/apps", `{"name":"busy"}`, http.StatusCreated, nil)
	var wg sync.WaitGroup
	for i := range changes {
		wg.Go(func() {
			h.must(t, "PATCH", "/apps/busy/config-vars", fmt.Sprintf(`{"VAR_%d":"%d"}`, i, i), http.StatusOK, nil)
		})
	}
	wg.Wait()
	var vars map[string]string
	h.must(t, "GET", "/apps/busy/config-vars", "", http.StatusOK, &vars)
	for i := range changes {
		if name := fmt.Sprintf("VAR_%d", i); vars[name] != fmt.Sprint(i) {
			t.Errorf("%s is %q", name, vars[name])
		}
	}
	var releases []struct {
		Version     int    `json:"version"`
		Description string `json:"description"`
	}
	h.must(t, "GET", "/apps/busy/releases", "", http.StatusOK, &releases)
	if len(releases) != changes+1 {
		t.Fatalf("%d releases, want %d", len(releases), changes+1)
	}
	seen := map[string]bool{}
	for i, r := range releases {
		if r.Version != i+1 || seen[r.Description] {
			t.Errorf("release %d is v%d, %s", i+1, r.Version, r.Description)
		}
		seen[r.Description] = true
	}
}

// TestOfTwentyCreatorsOfOneNameOneWins checks that the others are told that the
// name is taken.
func TestOfTwentyCreatorsOfOneNameOneWins(t *testing.T) {
	h := newPlatform(t, wiretest.NewStore())
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var answer struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			}
			status, err := h.ask(t.Context(), "POST", "/apps", `{"name":"wanted"}`, &answer)
			switch {
			case status == http.StatusCreated && answer.Name == "wanted":
				won.Add(1)
			case status == http.StatusUnprocessableEntity && answer.ID == "invalid_params":
				lost.Add(1)
			default:
				t.Errorf("%d %+v %v", status, answer, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 19 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}

// must is ask for an expected status. Other goroutines than the test's may call it.
func (h *platform) must(t *testing.T, method, path, body string, status int, into any) {
	t.Helper()
	if got, err := h.ask(t.Context(), method, path, body, into); err != nil || got != status {
		t.Errorf("%s %s: %d, want %d; %v", method, path, got, status, err)
	}
}
