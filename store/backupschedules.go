package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

type backupScheduleRecord struct {
	ID        string          `json:"id"`
	AddOn     renga.AddOnID   `json:"addon"`
	Name      string          `json:"name"`
	Hour      int             `json:"hour"`
	Zone      string          `json:"zone"`
	By        renga.AccountID `json:"by,omitempty"`
	Last      time.Time       `json:"last,omitzero"`
	CreatedAt time.Time       `json:"created_at,omitzero"`
}

var backupSchedules = collection{key: keyBackupTimes}

// BackupSchedules reads all, the oldest first.
func (s *Store) BackupSchedules(ctx context.Context) ([]renga.BackupSchedule, error) {
	records, err := readCollection[backupScheduleRecord](ctx, s, backupSchedules)
	all := make([]renga.BackupSchedule, 0, len(records))
	for _, r := range records {
		all = append(all, r.schedule())
	}
	slices.SortFunc(all, func(a, b renga.BackupSchedule) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// PutBackupSchedule adds a schedule, in the place of the one that its add-on has, if
// any: that keeps its id.
func (s *Store) PutBackupSchedule(ctx context.Context, sch renga.BackupSchedule) (renga.BackupSchedule, error) {
	err := editCollection(ctx, s, backupSchedules, func(all map[string]backupScheduleRecord) error {
		for id, old := range all {
			if old.AddOn == sch.AddOn {
				sch.ID = id
			}
		}
		all[sch.ID] = backupScheduleRecord(sch)
		return nil
	})
	return sch, err
}

// EditBackupSchedule lets edit change a schedule in place; renga.NotFound when there
// is none of that id.
func (s *Store) EditBackupSchedule(ctx context.Context, id string, edit func(*renga.BackupSchedule) error) error {
	return editCollection(ctx, s, backupSchedules, func(all map[string]backupScheduleRecord) error {
		r, ok := all[id]
		if !ok {
			return renga.Errorf(renga.NotFound, "Couldn't find that schedule.")
		}
		sch := r.schedule()
		if err := edit(&sch); err != nil {
			return err
		}
		sch.Last = sch.Last.UTC()
		all[id] = backupScheduleRecord(sch)
		return nil
	})
}

// RemoveBackupSchedule removes a schedule. One that is not there is no error.
func (s *Store) RemoveBackupSchedule(ctx context.Context, id string) error {
	return editCollection(freeing(ctx), s, backupSchedules, func(all map[string]backupScheduleRecord) error {
		delete(all, id)
		return nil
	})
}

func (r backupScheduleRecord) schedule() renga.BackupSchedule {
	sch := renga.BackupSchedule(r)
	sch.Last, sch.CreatedAt = sch.Last.UTC(), sch.CreatedAt.UTC()
	return sch
}
