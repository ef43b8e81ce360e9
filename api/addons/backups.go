package addons

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Backups makes, restores and removes backups of add-ons' data.
type Backups interface {
	// Check is an error if the add-on's data cannot be backed up.
	Check(a renga.AddOn) error
	// Capture and Restore give back what is asked for; it is done later. Conflict while
	// the add-on is being backed up or restored already.
	Capture(ctx context.Context, a renga.AddOn, schedule string, by renga.AccountID) (renga.Backup, error)
	Restore(ctx context.Context, b renga.Backup, to renga.AddOn, by renga.AccountID) (renga.Backup, error)
	Cancel(ctx context.Context, b renga.Backup) error
	Delete(ctx context.Context, b renga.Backup) error
}

// Copier has the data of one add-on replace another's.
type Copier interface {
	// Copy gives back what is asked for; it is done later. Conflict as Capture is.
	Copy(ctx context.Context, from, to renga.AddOn, by renga.AccountID) (renga.Backup, error)
}

// BackupDownloads give the dumps of backups out.
type BackupDownloads interface {
	// Offer makes a URL good, once; Use takes it.
	Offer(ctx context.Context, b renga.Backup) (renga.BackupDownload, error)
	Use(ctx context.Context, app renga.AppID, id renga.BackupID, download string) (renga.Backup, error)
	// Reader reads the dump of a backup; only io.EOF says that it was all.
	Reader(ctx context.Context, b renga.Backup) (dump io.Reader, done func(), err error)
}

// BackupRecords keeps the backups.
type BackupRecords interface {
	// BackupsOf are the backups and restores of an app's add-ons, the newest first.
	BackupsOf(ctx context.Context, app renga.AppID) ([]renga.Backup, error)
}

// Backups are no resource of Heroku's platform API; these are ours, for add-ons of all
// services.
func (s *Server) backupRoutes() []wire.Route {
	protected := wire.OnToken(renga.ScopeWriteProtected)
	return []wire.Route{
		wire.Get("/addons/{addon}/backups", wire.Reading, s.listBackups),
		wire.Post("/addons/{addon}/backups", wire.Writing, s.captureBackup),
		wire.Get("/addons/{addon}/backups/{backup}", wire.Reading, s.backupInfo),
		wire.Delete("/addons/{addon}/backups/{backup}", protected, s.deleteBackup),
		wire.Post("/addons/{addon}/backups/{backup}/actions/restore", protected, s.restoreBackup),
		wire.Post("/addons/{addon}/backups/{backup}/actions/cancel", wire.Writing, s.cancelBackup),
		wire.Post("/addons/{addon}/backups/{backup}/actions/download",
			wire.OnToken(renga.ScopeReadProtected), s.offerBackup),
		wire.Get("/backups/{backup}/download", wire.Open, s.downloadBackup),
	}
}

// backup is a backup, or a restore, as JSON.
type backup struct {
	AddOn       wire.Ref     `json:"addon"`
	App         wire.Ref     `json:"app"`
	CreatedAt   string       `json:"created_at"`
	Duration    *float64     `json:"duration"` // in seconds, until now while it is under way
	FinishedAt  *string      `json:"finished_at"`
	ID          string       `json:"id"`
	Kind        string       `json:"kind"` // backup, restore or copy
	Name        string       `json:"name"` // as the CLI calls it: b001
	Number      int          `json:"number"`
	Of          *wire.Ref    `json:"of"` // the backup of a restore, the add-on that a copy is of
	Proof       *backupProof `json:"proof"`
	Reason      *string      `json:"reason"`
	Schedule    *string      `json:"schedule"`
	Service     string       `json:"service"`
	Size        int64        `json:"size"`         // of the dump, in bytes
	SourceBytes int64        `json:"source_bytes"` // of the data
	StartedAt   *string      `json:"started_at"`
	State       string       `json:"state"`
	StoredBytes int64        `json:"stored_bytes"`
	Version     *string      `json:"version"`
}

type backupProof struct {
	At     *string `json:"at"`
	Reason *string `json:"reason"`
	State  string  `json:"state"`
}

func (s *Server) newBackup(b renga.Backup, app renga.App) backup {
	x := backup{
		AddOn: wire.Ref{ID: string(b.AddOn), Name: b.AddOnName}, App: wire.AppRef(app), CreatedAt: wire.Stamp(b.CreatedAt),
		FinishedAt: wire.StampOrNull(b.FinishedAt), ID: string(b.ID), Kind: "backup", Name: backupName(b), Number: b.Number,
		Reason: wire.OrNull(b.Reason), Schedule: wire.OrNull(b.Schedule), Service: b.Service, Size: b.Bytes,
		SourceBytes: b.SourceBytes, StartedAt: wire.StampOrNull(b.StartedAt), State: string(b.State),
		StoredBytes: b.StoredBytes, Version: wire.OrNull(b.Version),
	}
	switch {
	case b.IsRestore():
		x.Kind, x.Of = "restore", &wire.Ref{ID: string(b.Of), Name: b.OfName}
	case b.IsCopy():
		x.Kind, x.Of = "copy", &wire.Ref{ID: string(b.From), Name: b.OfName}
	}
	if b.Proof.State != "" {
		x.Proof = &backupProof{
			At: wire.StampOrNull(b.Proof.At), Reason: wire.OrNull(b.Proof.Reason), State: string(b.Proof.State),
		}
	}
	if !b.StartedAt.IsZero() {
		end := b.FinishedAt
		if end.IsZero() {
			end = s.Now()
		}
		seconds := end.Sub(b.StartedAt).Round(time.Millisecond).Seconds()
		x.Duration = &seconds
	}
	return x
}

// ShowFailed gives an add-on as JSON at the event that a backup of it, or its proof,
// failed, for other families.
func (s *Server) ShowFailed(ctx context.Context, a renga.AddOn, b renga.Backup) (any, error) {
	v, err := s.namesOf(ctx, a.App)
	return struct {
		addOn
		Backup backup `json:"backup"`
	}{s.newAddOn(a, v.apps[a.App], asked{}), s.newBackup(b, v.apps[a.App])}, err
}

// backupName is what the CLI calls it.
func backupName(b renga.Backup) string {
	switch {
	case b.IsRestore():
		return fmt.Sprintf("r%03d", b.Number)
	case b.IsCopy():
		return fmt.Sprintf("c%03d", b.Number)
	case b.Schedule != "":
		return fmt.Sprintf("a%03d", b.Number)
	}
	return fmt.Sprintf("b%03d", b.Number)
}

// backupsOf are an app's that are not being removed.
func (s *Server) backupsOf(r *http.Request, app renga.AppID) ([]renga.Backup, error) {
	all, err := s.parts.BackupRecords.BackupsOf(r.Context(), app)
	return keep(all, func(b renga.Backup) bool { return !b.Removing }), err
}

// ownBackups are those of the add-on of the path, for those who may do that with its
// app.
func (s *Server) ownBackups(r *http.Request, may ...renga.Permission) (renga.AddOn, renga.App, []renga.Backup, error) {
	a, v, err := s.addOnOf(r, may...)
	if err != nil {
		return a, renga.App{}, nil, err
	}
	all, err := s.backupsOf(r, a.App)
	return a, v.apps[a.App], keep(all, func(b renga.Backup) bool { return b.AddOn == a.ID }), err
}

// backupOf is the one of the path, by its id, number or name.
func (s *Server) backupOf(r *http.Request, may ...renga.Permission) (renga.Backup, renga.App, error) {
	_, app, all, err := s.ownBackups(r, may...)
	if err != nil {
		return renga.Backup{}, app, err
	}
	b, err := backupIn(all, mux.Vars(r)["backup"])
	return b, app, err
}

func backupIn(all []renga.Backup, identity string) (renga.Backup, error) {
	for _, b := range all {
		if string(b.ID) == identity || backupName(b) == identity || strconv.Itoa(b.Number) == identity {
			return b, nil
		}
	}
	return renga.Backup{}, wire.NotFound("backup")
}

func (s *Server) listBackups(w http.ResponseWriter, r *http.Request) error {
	_, app, all, err := s.ownBackups(r, renga.MayView)
	if err != nil {
		return err
	}
	shown := make([]backup, len(all))
	for i, b := range all {
		shown[i] = s.newBackup(b, app)
	}
	return wire.List(w, r, shown,
		wire.By("id", func(b backup) string { return b.ID }),
		wire.By("created_at", func(b backup) string { return fmt.Sprintf("%s %09d", b.CreatedAt, b.Number) }))
}

func (s *Server) backupInfo(w http.ResponseWriter, r *http.Request) error {
	b, app, err := s.backupOf(r, renga.MayView)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, s.newBackup(b, app))
}

func (s *Server) captureBackup(w http.ResponseWriter, r *http.Request) error {
	b, app, err := s.capture(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusCreated, s.newBackup(b, app))
}

// capture asks for a backup of the add-on of the path.
func (s *Server) capture(r *http.Request) (renga.Backup, renga.App, error) {
	a, v, err := s.addOnOf(r, renga.MayOperate)
	if err != nil {
		return renga.Backup{}, renga.App{}, err
	}
	b, err := s.parts.Backups.Capture(r.Context(), a, "", wire.Caller(r).ID)
	if err == nil {
		s.Audit(r, "backup asked for", v.apps[a.App].Name, "add-on", a.Name, "backup", backupName(b))
	}
	return b, v.apps[a.App], err
}

func (s *Server) deleteBackup(w http.ResponseWriter, r *http.Request) error {
	b, app, err := s.backupOf(r, renga.MayOperate)
	if err == nil {
		err = s.remove(r, b, app)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, s.newBackup(b, app))
}

func (s *Server) remove(r *http.Request, b renga.Backup, app renga.App) error {
	if err := s.parts.Backups.Delete(r.Context(), b); err != nil {
		return wire.OrNotFound(err, "backup")
	}
	s.Audit(r, "backup deleted", app.Name, "add-on", b.AddOnName, "backup", backupName(b))
	return nil
}

func (s *Server) cancelBackup(w http.ResponseWriter, r *http.Request) error {
	b, app, err := s.backupOf(r, renga.MayOperate)
	if err == nil {
		err = s.cancel(r, b, app)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusAccepted, s.newBackup(b, app))
}

func (s *Server) cancel(r *http.Request, b renga.Backup, app renga.App) error {
	if err := s.parts.Backups.Cancel(r.Context(), b); err != nil {
		return wire.OrNotFound(err, "backup")
	}
	s.Audit(r, "backup canceled", app.Name, "add-on", b.AddOnName, "backup", backupName(b))
	return nil
}

// restoreBackup replaces the data of the backup's add-on, or of another one. Whoever
// asks may read the secrets of the first's app, and operate the second's.
func (s *Server) restoreBackup(w http.ResponseWriter, r *http.Request) error {
	b, _, err := s.backupOf(r, renga.MayDeploy, renga.MayOperate)
	if err != nil {
		return err
	}
	var body struct {
		AddOn   identity `json:"addon"`
		Confirm string   `json:"confirm"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	to, v, err := s.addOnNamed(r, cmp.Or(string(body.AddOn), string(b.AddOn)))
	if err != nil {
		return err
	}
	app := v.apps[to.App]
	if err := v.permit(r, to, renga.MayOperate); err != nil {
		return err
	}
	if s.confirmed(body.Confirm, app) != app.Name {
		return renga.Errorf(renga.Unconfirmed, "This replaces all data of %s. Confirm it with the name of its app, %s.",
			to.Name, app.Name)
	}
	started, err := s.restore(r, b, to, app)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusAccepted, s.newBackup(started, app))
}

func (s *Server) restore(r *http.Request, b renga.Backup, to renga.AddOn, app renga.App) (renga.Backup, error) {
	started, err := s.parts.Backups.Restore(r.Context(), b, to, wire.Caller(r).ID)
	if err == nil {
		s.Audit(r, "restore asked for", app.Name, "add-on", to.Name, "of", b.AddOnName, "backup", backupName(b))
	}
	return started, err
}
