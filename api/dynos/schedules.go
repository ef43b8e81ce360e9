package dynos

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Schedules keeps apps' schedules and their runs.
type Schedules interface {
	// Schedules lists them from the oldest on, each with its last run.
	Schedules(ctx context.Context, app renga.AppID) ([]renga.Schedule, error)
	// Runs lists them from the oldest on.
	Runs(ctx context.Context, app renga.AppID, schedule string) ([]renga.ScheduledRun, error)
}

// Scheduler starts one-off dynos at the times of schedules.
type Scheduler interface {
	AddSchedule(ctx context.Context, s renga.Schedule) (renga.Schedule, error)
	UpdateSchedule(
		ctx context.Context, app renga.AppID, id string, edit func(*renga.Schedule) error,
	) (renga.Schedule, error)
	RemoveSchedule(ctx context.Context, app renga.AppID, id string) error
	// RunSchedule runs the command once, now.
	RunSchedule(ctx context.Context, app renga.AppID, id string) (renga.ScheduledRun, error)
}

func (s *Server) scheduleRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/schedules", wire.Looking, s.listSchedules),
		wire.Post("/apps/{app}/schedules", wire.SettingSecrets, s.createSchedule),
		wire.Get("/apps/{app}/schedules/{schedule}", wire.Looking, s.scheduleInfo),
		wire.Patch("/apps/{app}/schedules/{schedule}", wire.SettingSecrets, s.updateSchedule),
		wire.Delete("/apps/{app}/schedules/{schedule}", wire.SettingSecrets, s.deleteSchedule),
		wire.Get("/apps/{app}/schedules/{schedule}/runs", wire.Looking, s.listScheduledRuns),
		wire.Post("/apps/{app}/schedules/{schedule}/actions/run", wire.SettingSecrets, s.runSchedule),
	}
}

// schedule is a schedule as JSON. Name, type and size are null if they are not set.
type schedule struct {
	App       wire.Ref      `json:"app"`
	Command   string        `json:"command"`
	CreatedAt string        `json:"created_at"`
	Cron      string        `json:"cron"`
	Enabled   bool          `json:"enabled"`
	ID        string        `json:"id"`
	LastRun   *scheduledRun `json:"last_run"`
	Name      *string       `json:"name"`
	NextRunAt *string       `json:"next_run_at"`
	Overlap   string        `json:"overlap"`
	Size      *string       `json:"size"`
	Timezone  string        `json:"timezone"`
	Type      *string       `json:"type"`
	UpdatedAt string        `json:"updated_at"`
}

// What happens to a run while the one before it still goes on.
const (
	overlapAllow = "allow"
	overlapSkip  = "skip"
)

func newSchedule(a renga.App, sch renga.Schedule) schedule {
	shown := schedule{
		App: wire.AppRef(a), Command: sch.Command, CreatedAt: wire.Stamp(sch.CreatedAt), Cron: sch.Cron,
		Enabled: sch.Enabled, ID: sch.ID,
		Name: wire.OrNull(sch.Name), NextRunAt: wire.StampOrNull(sch.Next), Overlap: overlapSkip, Timezone: "UTC",
		Type:      wire.OrNull(string(sch.Type)),
		UpdatedAt: wire.Stamp(sch.UpdatedAt),
	}
	if sch.Overlap {
		shown.Overlap = overlapAllow
	}
	if sch.Zone != "" {
		shown.Timezone = sch.Zone
	}
	if sch.Size != "" {
		shown.Size = wire.OrNull(shownSize(sch.Size))
	}
	if sch.Last != nil {
		run := newScheduledRun(a, *sch.Last)
		shown.LastRun = &run
	}
	return shown
}

// scheduleOf finds the schedule of the path, by id or name.
func (s *Server) scheduleOf(r *http.Request) (renga.App, renga.Schedule, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return a, renga.Schedule{}, err
	}
	all, err := s.parts.Schedules.Schedules(r.Context(), a.ID)
	if err != nil {
		return a, renga.Schedule{}, wire.OrNotFound(err, "app")
	}
	identity := mux.Vars(r)["schedule"]
	i := slices.IndexFunc(
		all, func(sch renga.Schedule) bool { return strings.EqualFold(sch.ID, identity) || sch.Name == identity },
	)
	if i < 0 {
		return a, renga.Schedule{}, wire.NotFound("schedule")
	}
	return a, all[i], nil
}

func (s *Server) listSchedules(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Schedules.Schedules(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	var shown []schedule
	for _, sch := range all {
		shown = append(shown, newSchedule(a, sch))
	}
	return wire.List(w, r, shown, wire.By("id", func(w schedule) string { return w.ID }))
}

func (s *Server) scheduleInfo(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newSchedule(a, sch))
}

// scheduleBody is a schedule as clients send it. A field that is left out does not
// change; null sets it back to its default.
type scheduleBody struct {
	Command  *string         `json:"command"`
	Cron     *string         `json:"cron"`
	Enabled  *bool           `json:"enabled"`
	Name     json.RawMessage `json:"name"`
	Overlap  *string         `json:"overlap"`
	Size     json.RawMessage `json:"size"`
	Timezone *string         `json:"timezone"`
	Type     json.RawMessage `json:"type"`
}

// decodeSchedule reads a body, and gives a function that applies it to a schedule.
func (s *Server) decodeSchedule(r *http.Request) (change func(*renga.Schedule) error, err error) {
	var body scheduleBody
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	return func(sch *renga.Schedule) (err error) {
		wire.Set(&sch.Command, body.Command)
		wire.Set(&sch.Cron, body.Cron)
		wire.Set(&sch.Enabled, body.Enabled)
		wire.Set(&sch.Zone, body.Timezone)
		sch.Command, sch.Cron = strings.TrimSpace(sch.Command), strings.TrimSpace(sch.Cron)
		if body.Overlap != nil && *body.Overlap != overlapAllow && *body.Overlap != overlapSkip {
			return wire.Invalid("Overlap must be %q or %q.", overlapSkip, overlapAllow)
		}
		if body.Overlap != nil {
			sch.Overlap = *body.Overlap == overlapAllow
		}
		if err := setOrNull("name", &sch.Name, body.Name); err != nil {
			return err
		}
		if err := setOrNull("type", (*string)(&sch.Type), body.Type); err != nil {
			return err
		}
		if err := setOrNull("size", &sch.Size, body.Size); err != nil || sch.Size == "" {
			return err
		}
		sch.Size, err = s.sizeNamed(sch.Size)
		return err
	}, nil
}

// setOrNull sets a field from JSON, and empties it for null. It does nothing if the
// body does not have the field.
func setOrNull(name string, field *string, said json.RawMessage) error {
	if len(said) == 0 {
		return nil
	}
	var value *string
	if json.Unmarshal(said, &value) != nil {
		return wire.Invalid("Field %q must be %s.", name, "a string, or null")
	}
	*field = ""
	wire.Set(field, value)
	return nil
}

func (s *Server) createSchedule(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	change, err := s.decodeSchedule(r)
	if err != nil {
		return err
	}
	sch := renga.Schedule{App: a.ID, Enabled: true}
	if err := change(&sch); err != nil {
		return err
	}
	if sch, err = s.parts.Scheduler.AddSchedule(r.Context(), sch); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "schedule added", a.Name, "schedule", sch.Label(), "cron", sch.Cron)
	return wire.Answer(w, http.StatusCreated, newSchedule(a, sch))
}

func (s *Server) updateSchedule(w http.ResponseWriter, r *http.Request) error {
	a, before, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	change, err := s.decodeSchedule(r)
	if err != nil {
		return err
	}
	sch, err := s.parts.Scheduler.UpdateSchedule(r.Context(), a.ID, before.ID, change)
	if err != nil {
		return wire.OrNotFound(err, "schedule")
	}
	sch.Last = before.Last
	s.Audit(r, "schedule changed", a.Name, "schedule", sch.Label(), "cron", sch.Cron)
	return wire.Answer(w, http.StatusOK, newSchedule(a, sch))
}

func (s *Server) deleteSchedule(w http.ResponseWriter, r *http.Request) error {
	a, sch, err := s.scheduleOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Scheduler.RemoveSchedule(r.Context(), a.ID, sch.ID); err != nil {
		return wire.OrNotFound(err, "schedule")
	}
	s.Audit(r, "schedule removed", a.Name, "schedule", sch.Label())
	return wire.Answer(w, http.StatusOK, newSchedule(a, sch))
}
