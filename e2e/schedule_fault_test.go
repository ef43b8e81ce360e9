package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// scheduledRun is what stories read of a run.
type scheduledRun struct {
	ID     string
	Status string
	Reason string
	Dyno   *struct{ Name string }
}

// scheduledRuns are hello's of a schedule, the newest first.
func (s *story) scheduledRuns(schedule string) []scheduledRun {
	s.Helper()
	var runs []scheduledRun
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/hello/schedules/"+schedule+"/runs", nil), &runs))
	return runs
}

// TestARunStartsOnceWheneverRengaIsKilled kills the platform at moments between
// the note of a run and its dyno's end. Each run is started once, for Renga is
// back within its minute, and each one's end is known.
func TestARunStartsOnceWheneverRengaIsKilled(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "one")
	s.up("hello", "one")
	s.api(http.StatusCreated, http.MethodPost, "/apps/hello/schedules", map[string]any{
		"name": "job", "cron": "@yearly", "command": "/app print HEROKU_DYNO_ID", "overlap": "allow",
	})
	moments := []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond, time.Second}
	for _, moment := range moments {
		s.api(http.StatusCreated, http.MethodPost, "/apps/hello/schedules/job/actions/run", nil)
		time.Sleep(moment) // it is the time itself that is tried
		s.must(s.w.Kill())
		s.start()
	}
	var runs []scheduledRun
	s.poll(func() error {
		runs = s.scheduledRuns("job")
		for _, run := range runs {
			if run.Status != "succeeded" {
				return fmt.Errorf("a run is %s: %s", run.Status, run.Reason)
			}
		}
		return nil
	})
	said := s.log("hello")
	for _, run := range runs {
		times := 0
		for _, line := range said {
			if line == run.ID {
				times++
			}
		}
		if times != 1 {
			t.Errorf("%s printed its id %d times", run.Dyno.Name, times)
		}
	}
	if len(runs) != len(moments) {
		t.Errorf("%d runs, want %d", len(runs), len(moments))
	}
	s.alone(1)
	if strings.Contains(s.w.Log(), "panic") {
		t.Error("it panicked")
	}
}
