package api

import (
	"net/http"

	"renga"
)

// scheduledRun is a run of a schedule on the wire.
type scheduledRun struct {
	Dyno       *runDynoRef `json:"dyno"`
	DueAt      string      `json:"due_at"`
	ExitCode   *int        `json:"exit_code"`
	FinishedAt *string     `json:"finished_at"`
	ID         string      `json:"id"`
	Reason     *string     `json:"reason"`
	Release    *verseMark  `json:"release"`
	StartedAt  *string     `json:"started_at"`
	Status     string      `json:"status"`
}

// runDynoRef names the dyno of a run.
type runDynoRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newScheduledRun(a renga.App, r renga.ScheduledRun) scheduledRun {
	wire := scheduledRun{
		DueAt: stamp(r.DueAt), ExitCode: r.ExitCode, FinishedAt: stampOrNull(r.FinishedAt), ID: r.ID, Reason: orNull(r.Reason),
		StartedAt: stampOrNull(r.StartedAt), Status: string(r.Status),
	}
	if r.Dyno != "" {
		wire.Dyno = &runDynoRef{ID: r.ID, Name: r.Dyno}
		wire.Release = &verseMark{ID: releaseID(a.ID, r.Release), Version: r.Release}
	}
	return wire
}

// listScheduledRuns lists the newest run first when nobody says otherwise.
func (s *Server) listScheduledRuns(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	runs, err := s.parts.Schedules.Runs(r.Context(), a.ID, sch.ID)
	if err != nil {
		return orNotFound(err, "app")
	}
	var wire []scheduledRun
	for _, run := range runs {
		wire = append(wire, newScheduledRun(a, run))
	}
	if r.Header.Get("Range") == "" {
		r.Header.Set("Range", "id ..; order=desc")
	}
	return list(w, r, wire, by("id", func(w scheduledRun) string { return w.ID })) // which is in order of time
}

func (s *Server) runSchedule(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	run, err := s.parts.Scheduler.RunSchedule(r.Context(), a.ID, sch.ID)
	if err != nil {
		return orNotFound(err, "schedule")
	}
	s.audit(r, "schedule run", a.Name, "schedule", sch.Label(), "run", run.ID)
	return answer(w, http.StatusCreated, newScheduledRun(a, run))
}
