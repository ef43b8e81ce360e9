package addons

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// BackupSchedules keeps when backups are made.
type BackupSchedules interface {
	BackupSchedules(ctx context.Context) ([]renga.BackupSchedule, error)
	// PutBackupSchedule takes the place of the add-on's own, if it has one.
	PutBackupSchedule(ctx context.Context, s renga.BackupSchedule) (renga.BackupSchedule, error)
	RemoveBackupSchedule(ctx context.Context, id string) error
}

// The same for add-ons of all services, and where the CLI asks for it in
// pg:backups:schedule.
func (s *Server) backupScheduleRoutes() []wire.Route {
	const all, one = "/addons/{addon}/backup-schedules", "/addons/{addon}/backup-schedules/{schedule}"
	const ofCLI, oneOfCLI = "/client/v11/databases/{addon}/transfer-schedules",
		"/client/v11/databases/{addon}/transfer-schedules/{schedule}"
	return []wire.Route{
		wire.Get(all, wire.Reading, s.listBackupSchedules),
		wire.Post(all, wire.Writing, s.putBackupSchedule),
		wire.Delete(one, wire.Writing, s.deleteBackupSchedule),
		wire.Get(ofCLI, wire.Reading, s.listBackupSchedules),
		wire.Post(ofCLI, wire.Writing, s.putBackupSchedule),
		wire.Delete(oneOfCLI, wire.Writing, s.deleteBackupSchedule),
	}
}

// backupSchedule is one as JSON, as the CLI knows it.
type backupSchedule struct {
	AddOn     wire.Ref `json:"addon"`
	CreatedAt string   `json:"created_at"`
	Hour      int      `json:"hour"`
	Name      string   `json:"name"`
	Timezone  string   `json:"timezone"`
	UUID      string   `json:"uuid"`
}

func newBackupSchedule(x renga.BackupSchedule, a renga.AddOn) backupSchedule {
	return backupSchedule{
		AddOn: wire.Ref{ID: string(a.ID), Name: a.Name}, CreatedAt: wire.Stamp(x.CreatedAt), Hour: x.Hour, Name: x.Name,
		Timezone: x.Zone, UUID: x.ID,
	}
}

// schedulesOf are those of the path's add-on, and behind them those of the others of
// its service that its app has: the CLI asks any of them for all.
func (s *Server) schedulesOf(r *http.Request, may renga.Permission) ([]backupSchedule, renga.AddOn, renga.App, error) {
	a, v, err := s.addOnOf(r, may)
	if err != nil {
		return nil, a, renga.App{}, err
	}
	others, err := s.parts.AddOns.AddOnsOfApps(r.Context(), []renga.AppID{a.App})
	if err != nil {
		return nil, a, renga.App{}, err
	}
	all, err := s.parts.BackupSchedules.BackupSchedules(r.Context())
	shown := []backupSchedule{}
	for _, x := range all {
		i := slices.IndexFunc(others, func(o renga.AddOn) bool { return o.ID == x.AddOn && o.App == a.App && o.Service == a.Service })
		if i >= 0 {
			shown = append(shown, newBackupSchedule(x, others[i]))
		}
	}
	slices.SortStableFunc(shown, func(x, y backupSchedule) int {
		own := func(x backupSchedule) int { return cmp.Compare(x.AddOn.ID, string(a.ID)) }
		return cmp.Compare(own(x)*own(x), own(y)*own(y))
	})
	return shown, a, v.apps[a.App], err
}

func (s *Server) listBackupSchedules(w http.ResponseWriter, r *http.Request) error {
	shown, _, _, err := s.schedulesOf(r, renga.MayView)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) putBackupSchedule(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r, renga.MayOperate)
	if err != nil {
		return err
	}
	var body struct {
		Hour     hour   `json:"hour"`
		Timezone string `json:"timezone"`
		Name     string `json:"schedule_name"`
	}
	body.Hour = -1
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	name := strings.ToUpper(cmp.Or(body.Name, a.Name))
	zone := cmp.Or(body.Timezone, "UTC")
	if err := renga.ValidateBackupTime(int(body.Hour), zone); err != nil {
		return err
	}
	if len(name) > 120 {
		return wire.Invalid("Field \"schedule_name\" may have 120 characters.")
	}
	if err := s.parts.Backups.Check(a); err != nil {
		return err
	}
	now := s.Now().UTC()
	x, err := s.parts.BackupSchedules.PutBackupSchedule(r.Context(), renga.BackupSchedule{
		ID: uuid.NewString(), AddOn: a.ID, Name: name, Hour: int(body.Hour), Zone: zone, By: wire.Caller(r).ID, Last: now, CreatedAt: now,
	})
	if err != nil {
		return err
	}
	s.Audit(r, "backups scheduled", v.apps[a.App].Name, "add-on", a.Name, "hour", x.Hour, "zone", x.Zone)
	return wire.Answer(w, http.StatusCreated, newBackupSchedule(x, a))
}

func (s *Server) deleteBackupSchedule(w http.ResponseWriter, r *http.Request) error {
	all, _, app, err := s.schedulesOf(r, renga.MayOperate)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(x backupSchedule) bool { return x.UUID == mux.Vars(r)["schedule"] })
	if i < 0 {
		return wire.NotFound("schedule")
	}
	if err := s.parts.BackupSchedules.RemoveBackupSchedule(r.Context(), all[i].UUID); err != nil {
		return err
	}
	s.Audit(r, "backups unscheduled", app.Name, "add-on", all[i].AddOn.Name)
	return wire.Answer(w, http.StatusOK, all[i])
}

// hour is a number, or a text of one: the CLI sends "02".
type hour int

// UnmarshalJSON reads both.
func (h *hour) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return wire.Invalid("Field \"hour\" must be a whole number from 0 to 23.")
	}
	*h = hour(n)
	return nil
}
