package addons

import (
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// What Heroku's CLI asks the host of Heroku Data for, in pg:backups and pg:copy. A transfer
// is a backup, a restore of one, or a copy. It is in no schema; the fields are those that the CLI
// looks at.

func (s *Server) transferRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/client/v11/apps/{app}/transfers", wire.Looking, s.listTransfers),
		wire.Get("/client/v11/apps/{app}/transfers/{transfer}", wire.Looking, s.transferInfo),
		wire.Delete("/client/v11/apps/{app}/transfers/{transfer}", wire.SettingSecrets, s.deleteTransfer),
		wire.Post("/client/v11/apps/{app}/transfers/{transfer}/actions/cancel", wire.Operating, s.cancelTransfer),
		wire.Post("/client/v11/apps/{app}/transfers/{transfer}/actions/public-url", wire.ReadingSecrets, s.offerTransfer),
		wire.Post("/client/v11/databases/{addon}/backups", wire.Writing, s.captureTransfer),
		wire.Post("/client/v11/databases/{addon}/restores", wire.OnToken(renga.ScopeWriteProtected), s.restoreTransfer),
		wire.Post("/client/v11/databases/{addon}/transfers", wire.OnToken(renga.ScopeWriteProtected), s.copyTransfer),
	}
}

// transfer is one as the CLI shows it.
type transfer struct {
	CanceledAt     *string       `json:"canceled_at"`
	CreatedAt      string        `json:"created_at"`
	FinishedAt     *string       `json:"finished_at"`
	FromName       string        `json:"from_name"`
	FromType       string        `json:"from_type"`
	Logs           []transferLog `json:"logs,omitempty"` // if the client asked for them
	Num            int           `json:"num"`
	Options        wire.Empty    `json:"options"`
	ProcessedBytes int64         `json:"processed_bytes"`
	Schedule       *wire.Ref     `json:"schedule"`
	SourceBytes    int64         `json:"source_bytes"`
	StartedAt      *string       `json:"started_at"`
	Succeeded      bool          `json:"succeeded"`
	ToName         string        `json:"to_name"`
	ToType         string        `json:"to_type"`
	// ToURL names a backup for a restore. It opens nothing.
	ToURL    string `json:"to_url"`
	UUID     string `json:"uuid"`
	Warnings int    `json:"warnings"`
}

type transferLog struct {
	CreatedAt string `json:"created_at"`
	Message   string `json:"message"`
}

// Heroku's names of what data come from and go to.
const (
	fromDatabase = "pg_dump"
	toBackup     = "gof3r"
	toDatabase   = "pg_restore"
)

func newTransfer(r *http.Request, b renga.Backup) transfer {
	t := transfer{
		CreatedAt: dataStamp(b.CreatedAt), FinishedAt: dataStampOrNull(b.FinishedAt), StartedAt: dataStampOrNull(b.StartedAt),
		FromName: b.AddOnName, FromType: fromDatabase, ToName: "BACKUP", ToType: toBackup, Num: b.Number,
		ProcessedBytes: b.Bytes, SourceBytes: b.SourceBytes, Succeeded: b.State == renga.BackupCompleted, UUID: string(b.ID),
	}
	switch {
	case b.IsRestore():
		t.FromName, t.FromType, t.ToName, t.ToType = b.OfName, toBackup, b.AddOnName, toDatabase
	case b.IsCopy():
		t.FromName, t.ToName, t.ToType = b.OfName, b.AddOnName, toDatabase
	case b.Schedule != "":
		t.Schedule = &wire.Ref{ID: b.Schedule, Name: b.Schedule}
	}
	if b.Restorable() {
		t.ToURL = wire.OriginOf(r) + "/apps/" + string(b.App) + "/backups/" + string(b.ID)
	}
	if b.State == renga.BackupCanceled {
		t.CanceledAt = t.FinishedAt
	}
	if r.URL.Query().Get("verbose") == "true" {
		t.Logs = transferLogs(b)
	}
	return t
}

// transferLogs tell how it went.
func transferLogs(b renga.Backup) []transferLog {
	all := []transferLog{{dataStamp(b.CreatedAt), "Asked for"}}
	if !b.StartedAt.IsZero() {
		all = append(all, transferLog{dataStamp(b.StartedAt), "Started"})
	}
	if !b.FinishedAt.IsZero() {
		text := "Ended: " + string(b.State)
		if b.Reason != "" {
			text = b.Reason
		}
		all = append(all, transferLog{dataStamp(b.FinishedAt), text})
	}
	if b.Proof.State != "" && b.Proof.State != renga.ProofRunning {
		text := "Proven: it was restored for a try, and answered"
		if b.Proof.State == renga.ProofFailed {
			text = "Its proof failed: " + b.Proof.Reason
		}
		all = append(all, transferLog{dataStamp(b.Proof.At), text})
	}
	return all
}

// dataStamp is a time as Heroku Data writes it.
func dataStamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 -0700") }

func dataStampOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := dataStamp(t)
	return &text
}

// transfersOf are those of the databases of the path's app.
func (s *Server) transfersOf(r *http.Request) (renga.App, []renga.Backup, error) {
	app, err := s.AppOf(r)
	if err != nil {
		return app, nil, err
	}
	all, err := s.backupsOf(r, app.ID)
	return app, keep(all, func(b renga.Backup) bool { return b.Service == postgres }), err
}

// transferOf is the one of the path, by number or id.
func (s *Server) transferOf(r *http.Request) (renga.App, renga.Backup, error) {
	app, all, err := s.transfersOf(r)
	if err != nil {
		return app, renga.Backup{}, err
	}
	b, err := backupIn(all, mux.Vars(r)["transfer"])
	return app, b, err
}

func (s *Server) listTransfers(w http.ResponseWriter, r *http.Request) error {
	_, all, err := s.transfersOf(r)
	if err != nil {
		return err
	}
	shown := make([]transfer, len(all))
	for i, b := range all {
		shown[i] = newTransfer(r, b)
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) transferInfo(w http.ResponseWriter, r *http.Request) error {
	_, b, err := s.transferOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newTransfer(r, b))
}

func (s *Server) deleteTransfer(w http.ResponseWriter, r *http.Request) error {
	app, b, err := s.transferOf(r)
	if err == nil {
		err = s.remove(r, b, app)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newTransfer(r, b))
}

func (s *Server) cancelTransfer(w http.ResponseWriter, r *http.Request) error {
	app, b, err := s.transferOf(r)
	if err == nil {
		err = s.cancel(r, b, app)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newTransfer(r, b))
}

func (s *Server) offerTransfer(w http.ResponseWriter, r *http.Request) error {
	app, b, err := s.transferOf(r)
	if err != nil {
		return err
	}
	return s.answerURL(w, r, b, app)
}

func (s *Server) captureTransfer(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := s.databaseNamed(r, postgres); err != nil {
		return err
	}
	b, _, err := s.capture(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusCreated, newTransfer(r, b))
}

// restoreTransfer restores the backup that a URL from a list names. The CLI has asked
// for the app's name already.
func (s *Server) restoreTransfer(w http.ResponseWriter, r *http.Request) error {
	to, v, err := s.databaseNamed(r, postgres, renga.MayOperate)
	if err != nil {
		return err
	}
	var body struct {
		URL        string   `json:"backup_url"`
		Extensions []string `json:"extensions"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if len(body.Extensions) > 0 {
		return wire.Invalid("Extensions cannot be installed before a restore: the dump has those that its database had.")
	}
	b, err := s.backupAt(r, body.URL)
	if err != nil {
		return err
	}
	started, err := s.restore(r, b, to, v.apps[to.App])
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusCreated, newTransfer(r, started))
}

var backupPath = regexp.MustCompile(`^/apps/([0-9a-f-]{36})/backups/([0-9a-f-]{36})$`)

// backupAt is the backup that a URL names, of an app whose secrets the caller may
// read.
func (s *Server) backupAt(r *http.Request, address string) (renga.Backup, error) {
	at, err := url.Parse(address)
	if err != nil || at.Host != r.Host {
		return renga.Backup{}, wire.Invalid("Only backups of this platform can be restored by their URL. To bring in another dump, " +
			"use pg_restore with the config var of the database.")
	}
	named := backupPath.FindStringSubmatch(at.Path)
	if named == nil {
		return renga.Backup{}, wire.NotFound("backup")
	}
	app, err := s.AppNamed(r, named[1], renga.MayDeploy, renga.MayOperate)
	if err != nil {
		return renga.Backup{}, err
	}
	all, err := s.backupsOf(r, app.ID)
	if err != nil {
		return renga.Backup{}, err
	}
	return backupIn(all, named[2])
}
