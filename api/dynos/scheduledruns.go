package dynos

import (
	"net/http"

	"renga"
	"renga/api/wire"
)

// scheduledRun is a run of a schedule as JSON.
type scheduledRun struct {
	Dyno       *runDynoRef `json:"dyno"`
	DueAt      string      `json:"due_at"`
	ExitCode   *int        `json:"exit_code"`
	FinishedAt *string     `json:"finished_at"`
	ID         string      `json:"id"`
	Reason     *string     `json:"reason"`
	Release    *releaseRef `json:"release"`
	StartedAt  *string     `json:"started_at"`
	Status     string      `json:"status"`
}

// runDynoRef refers to the dyno of a run.
type runDynoRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newScheduledRun(a renga.App, r renga.ScheduledRun) scheduledRun {
	shown := scheduledRun{
		DueAt: wire.Stamp(r.DueAt), ExitCode: r.ExitCode, FinishedAt: wire.StampOrNull(r.FinishedAt), ID: r.ID,
		Reason:    wire.OrNull(r.Reason),
		StartedAt: wire.StampOrNull(r.StartedAt), Status: string(r.Status),
	}
	if r.Dyno != "" {
		shown.Dyno = &runDynoRef{ID: r.ID, Name: r.Dyno}
		shown.Release = &releaseRef{ID: wire.ReleaseID(a.ID, r.Release), Version: r.Release}
	}
	return shown
}

// listScheduledRuns lists the runs, by default the newest first.
func (s *Server) listScheduledRuns(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	runs, err := s.parts.Schedules.Runs(r.Context(), a.ID, sch.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	var shown []scheduledRun
	for _, run := range runs {
		shown = append(shown, newScheduledRun(a, run))
	}
	if r.Header.Get("Range") == "" {
		r.Header.Set("Range", "id ..; order=desc")
	}
	// ids are in the order of time
	return wire.List(w, r, shown, wire.By("id", func(w scheduledRun) string { return w.ID }))
}

func (s *Server) runSchedule(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	run, err := s.parts.Scheduler.RunSchedule(r.Context(), a.ID, sch.ID)
	if err != nil {
		return wire.OrNotFound(err, "schedule")
	}
	s.Audit(r, "schedule run", a.Name, "schedule", sch.Label(), "run", run.ID)
	return wire.Answer(w, http.StatusCreated, newScheduledRun(a, run))
}
