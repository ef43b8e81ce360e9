package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

type backupRecord struct {
	ID        renga.BackupID `json:"id"`
	Number    int            `json:"number"`
	AddOn     renga.AddOnID  `json:"addon"`
	AddOnName string         `json:"addon_name"`
	Service   string         `json:"service"`
	Plan      string         `json:"plan"`
	Version   string         `json:"version,omitempty"`
	Of        renga.BackupID `json:"of,omitempty"`
	From      renga.AddOnID  `json:"from,omitempty"`
	OfName    string         `json:"of_name,omitempty"`
	Schedule  string         `json:"schedule,omitempty"`

	State    renga.BackupState `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Cancel   bool              `json:"cancel,omitempty"`
	Removing bool              `json:"removing,omitempty"`

	SourceBytes int64 `json:"source_bytes,omitempty"`
	Bytes       int64 `json:"bytes,omitempty"`
	StoredBytes int64 `json:"stored_bytes,omitempty"`
	Attempts    int   `json:"attempts,omitempty"`

	By       renga.AccountID      `json:"by,omitempty"`
	Download backupDownloadRecord `json:"download,omitzero"`
	Proof    backupProofRecord    `json:"proof,omitzero"`

	CreatedAt  time.Time `json:"created_at,omitzero"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	GoneAt     time.Time `json:"gone_at,omitzero"`
}

type backupDownloadRecord struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

type backupProofRecord struct {
	State   renga.ProofState `json:"state,omitempty"`
	Reason  string           `json:"reason,omitempty"`
	Scratch renga.AddOnID    `json:"scratch,omitempty"`
	At      time.Time        `json:"at,omitzero"`
}

// maxBackupsOfApp bounds the records of one app.
const maxBackupsOfApp = 2000

func noBackup() error { return renga.Errorf(renga.NotFound, "Couldn't find that backup.") }

// CreateBackup adds a backup, or a restore, under the next number of its app. While
// another one of its add-on is not over it is renga.Conflict.
func (s *Store) CreateBackup(ctx context.Context, b renga.Backup) (renga.Backup, error) {
	err := s.editBackups(ctx, b.App, func(tx *redis.Tx, all map[string]backupRecord) (map[string]any, error) {
		for _, other := range all {
			if other.AddOn == b.AddOn && !other.backup(b.App).Over() {
				return nil, renga.Errorf(renga.Conflict, "%s is being backed up or restored already; wait until that has ended, "+
					"or cancel it.", b.AddOnName)
			}
		}
		if len(all) >= maxBackupsOfApp {
			return nil, renga.Errorf(renga.Invalid, "The app has %d backups; delete some first.", len(all))
		}
		last, err := tx.HGet(ctx, keyBackups, string(b.App)).Int()
		if err != nil && !missing(err) {
			return nil, err
		}
		b.Number = last + 1
		all[string(b.ID)] = newBackupRecord(b)
		return map[string]any{string(b.App): strconv.Itoa(b.Number)}, nil
	})
	return b, err
}

// EditBackup lets edit change a backup in place. It may be called several times, and
// its error is the answer. renga.NotFound when there is none of that id.
func (s *Store) EditBackup(ctx context.Context, app renga.AppID, id renga.BackupID, edit func(*renga.Backup) error) error {
	return s.editBackups(ctx, app, func(_ *redis.Tx, all map[string]backupRecord) (map[string]any, error) {
		r, ok := all[string(id)]
		if !ok {
			return nil, noBackup()
		}
		b := r.backup(app)
		if err := edit(&b); err != nil {
			return nil, err
		}
		all[string(id)] = newBackupRecord(b)
		return nil, nil
	})
}

// RemoveBackup removes the record of a backup. One that is not there is no error.
func (s *Store) RemoveBackup(ctx context.Context, app renga.AppID, id renga.BackupID) error {
	err := s.editBackups(freeing(ctx), app, func(_ *redis.Tx, all map[string]backupRecord) (map[string]any, error) {
		delete(all, string(id))
		return nil, nil
	})
	if err != nil {
		return err
	}
	return s.dropBackupIndex(ctx, app)
}

// dropBackupIndex removes what the index of all backups has of an app that is gone,
// with its last backup: those outlive it for days. The last number stays as long as
// the app does, for none is given twice.
func (s *Store) dropBackupIndex(ctx context.Context, app renga.AppID) error {
	return s.do(freeing(ctx), "drop app "+string(app)+" from the index of backups", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			l, there, err := listed(ctx, tx, app)
			if err != nil || there && !l.Removing {
				return err
			}
			left, err := tx.Exists(ctx, keyBackupsOf(app)).Result()
			if err != nil || left > 0 {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.HDel(ctx, keyBackups, string(app)) })
		}, keyApps, keyBackups, keyBackupsOf(app))
	})
}

// BackupsOf reads all backups and restores of an app, the newest first.
func (s *Store) BackupsOf(ctx context.Context, app renga.AppID) ([]renga.Backup, error) {
	records, err := readCollection[backupRecord](ctx, s, collection{key: keyBackupsOf(app)})
	return backupsIn(app, records), err
}

// Backups reads those of all apps.
func (s *Store) Backups(ctx context.Context) ([]renga.Backup, error) {
	var apps *redis.StringSliceCmd
	err := s.do(ctx, "read which apps have backups", func(ctx context.Context) error {
		return s.read(ctx, func(p redis.Pipeliner) { apps = p.HKeys(ctx, keyBackups) })
	})
	if err != nil {
		return nil, err
	}
	var all []renga.Backup
	for _, app := range apps.Val() {
		some, err := s.BackupsOf(ctx, renga.AppID(app))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// editBackups lets edit change the records of an app in place, and gives what it
// returns to the index of all.
func (s *Store) editBackups(ctx context.Context, app renga.AppID,
	edit func(*redis.Tx, map[string]backupRecord) (map[string]any, error)) error {
	key, told := keyBackupsOf(app), false
	err := s.do(ctx, "edit backups of app "+string(app), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) (err error) {
			before, err := tx.HGetAll(ctx, key).Result()
			if err != nil {
				return err
			}
			all, err := decodeCollection[backupRecord](key, before)
			if err != nil {
				return err
			}
			index, err := edit(tx, all)
			if err != nil {
				return err
			}
			told, err = writeBackups(ctx, tx, app, before, all, index)
			return err
		}, key, keyBackups)
	})
	if err == nil && told {
		if err := s.forwardAddOnEvents(ctx); err != nil {
			s.log.Warn("events of backups wait", "err", err) // for the next ones, or the next start
		}
	}
	return err
}

// writeBackups writes what has changed, and tells whether there are events of it.
func writeBackups(ctx context.Context, tx *redis.Tx, app renga.AppID, before map[string]string,
	after map[string]backupRecord, index map[string]any) (told bool, err error) {
	set, remove := collectionChanges(before, after)
	if len(set)+len(remove)+len(index) == 0 {
		return false, nil
	}
	events, err := backupEvents(ctx, tx, app, before, after)
	if err != nil {
		return false, err
	}
	return len(events) > 0, multi(ctx, tx, func(p redis.Pipeliner) {
		if len(set) > 0 {
			p.HSet(ctx, keyBackupsOf(app), set)
		}
		if len(remove) > 0 {
			p.HDel(ctx, keyBackupsOf(app), remove...)
		}
		if len(index) > 0 {
			p.HSet(ctx, keyBackups, index)
		}
		for _, e := range events {
			p.HSet(ctx, keyAddOnEvents, e.Event.ID, encode(e))
		}
	})
}

// backupEvents are those of backups and proofs that have failed, of an app that has
// webhooks: updates of their add-ons.
func backupEvents(ctx context.Context, tx *redis.Tx, app renga.AppID, before map[string]string,
	after map[string]backupRecord) ([]waitingRecord, error) {
	var failed []backupRecord
	for id, r := range after {
		old, err := decodeOr(before[id], backupRecord{})
		if err != nil {
			return nil, err
		}
		if r.State == renga.BackupFailed && old.State != r.State ||
			r.Proof.State == renga.ProofFailed && old.Proof.State != r.Proof.State {
			failed = append(failed, r)
		}
	}
	if len(failed) == 0 {
		return nil, nil
	}
	hooked, err := tx.SIsMember(ctx, keyHooked, string(app)).Result()
	if err != nil || !hooked {
		return nil, err
	}
	var waiting []waitingRecord
	for _, r := range failed {
		stored, err := tx.Get(ctx, keyAddOn(r.AddOn)).Result()
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		of, err := decode[addOnRecord](keyAddOn(r.AddOn), stored)
		if err != nil {
			return nil, err
		}
		subject := addOnSubject(*of.inOwnApp())
		subject.Backup = &r
		e := event{kind: renga.AddOnEvent, action: renga.Update, by: r.By, subject: subject}
		waiting = append(waiting, waitingRecord{App: app, Event: e.record(ctx)})
	}
	return waiting, nil
}

// decodeOr reads a record; without one it is another.
func decodeOr[T any](text string, without T) (T, error) {
	if text == "" {
		return without, nil
	}
	return decode[T]("a backup", text)
}

func backupsIn(app renga.AppID, records map[string]backupRecord) []renga.Backup {
	all := make([]renga.Backup, 0, len(records))
	for _, r := range records {
		all = append(all, r.backup(app))
	}
	slices.SortFunc(all, func(a, b renga.Backup) int { return cmp.Compare(b.Number, a.Number) })
	return all
}

func newBackupRecord(b renga.Backup) backupRecord {
	return backupRecord{
		ID: b.ID, Number: b.Number, AddOn: b.AddOn, AddOnName: b.AddOnName, Service: b.Service, Plan: b.Plan,
		Version: b.Version, Of: b.Of, From: b.From, OfName: b.OfName, Schedule: b.Schedule, State: b.State, Reason: b.Reason,
		Cancel: b.Cancel, Removing: b.Removing, SourceBytes: b.SourceBytes, Bytes: b.Bytes, StoredBytes: b.StoredBytes,
		Attempts: b.Attempts, By: b.By,
		Download: backupDownloadRecord{ID: b.Download.ID, Until: b.Download.Until.UTC()},
		Proof: backupProofRecord{
			State: b.Proof.State, Reason: b.Proof.Reason, Scratch: b.Proof.Scratch, At: b.Proof.At.UTC(),
		},
		CreatedAt: b.CreatedAt.UTC(), StartedAt: b.StartedAt.UTC(), FinishedAt: b.FinishedAt.UTC(), GoneAt: b.GoneAt.UTC(),
	}
}

func (r backupRecord) backup(app renga.AppID) renga.Backup {
	return renga.Backup{
		ID: r.ID, App: app, Number: r.Number, AddOn: r.AddOn, AddOnName: r.AddOnName, Service: r.Service, Plan: r.Plan,
		Version: r.Version, Of: r.Of, From: r.From, OfName: r.OfName, Schedule: r.Schedule, State: r.State, Reason: r.Reason,
		Cancel: r.Cancel, Removing: r.Removing, SourceBytes: r.SourceBytes, Bytes: r.Bytes, StoredBytes: r.StoredBytes,
		Attempts: r.Attempts, By: r.By,
		Download: renga.BackupDownload{ID: r.Download.ID, Until: r.Download.Until.UTC()},
		Proof: renga.BackupProof{
			State: r.Proof.State, Reason: r.Proof.Reason, Scratch: r.Proof.Scratch, At: r.Proof.At.UTC(),
		},
		CreatedAt: r.CreatedAt.UTC(), StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(), GoneAt: r.GoneAt.UTC(),
	}
}
