package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

type scheduleRecord struct {
	Name      string            `json:"name,omitempty"`
	Cron      string            `json:"cron"`
	Zone      string            `json:"zone,omitempty"`
	Command   string            `json:"command"`
	Type      renga.ProcessType `json:"type,omitempty"`
	Size      string            `json:"size,omitempty"`
	Overlap   bool              `json:"overlap,omitempty"`
	Enabled   bool              `json:"enabled,omitempty"`
	CreatedAt time.Time         `json:"created_at,omitzero"`
	UpdatedAt time.Time         `json:"updated_at,omitzero"`
	Next      time.Time         `json:"next,omitzero"`
	Last      string            `json:"last,omitempty"` // run's id
}

// DueApps tells of each app with schedules when one is due next.
func (s *Store) DueApps(ctx context.Context) (map[renga.AppID]time.Time, error) {
	due := map[renga.AppID]time.Time{}
	err := s.ofAllApps(ctx, "read when schedules are due", keySchedules,
		func(app renga.AppID, fields map[string]string) error {
			records, err := decodeCollection[scheduleRecord](keySchedules(app), fields)
			for _, r := range records {
				if first, known := due[app]; !r.Next.IsZero() && (!known || r.Next.Before(first)) {
					due[app] = r.Next.UTC()
				}
			}
			return err
		})
	return due, err
}

// ofAllApps reads one hash of every app that has one.
func (s *Store) ofAllApps(ctx context.Context, what string, key func(renga.AppID) string,
	see func(app renga.AppID, fields map[string]string) error) error {
	return s.do(ctx, what, func(ctx context.Context) error {
		ids, err := s.appIDs(ctx)
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(ids, readBatch) {
			stored := make([]*redis.MapStringStringCmd, len(batch))
			err := s.read(ctx, func(p redis.Pipeliner) {
				for i, app := range batch {
					stored[i] = p.HGetAll(ctx, key(app))
				}
			})
			for i, app := range batch {
				if err == nil && len(stored[i].Val()) > 0 {
					err = see(app, stored[i].Val())
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Schedules reads an app's schedules, oldest first, each with its last run.
func (s *Store) Schedules(ctx context.Context, app renga.AppID) ([]renga.Schedule, error) {
	records, err := readCollection[scheduleRecord](ctx, s, appCollection(app, keySchedules(app)))
	if err != nil {
		return nil, err
	}
	last, err := s.lastRuns(ctx, app, records)
	if err != nil {
		return nil, err
	}
	all := make([]renga.Schedule, 0, len(records))
	for id, r := range records {
		sch := r.schedule(app, id)
		if run, ok := last[id]; ok {
			sch.Last = &run
		}
		all = append(all, sch)
	}
	slices.SortFunc(all, func(a, b renga.Schedule) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// lastRuns reads the last runs of schedules, by the schedules' ids.
func (s *Store) lastRuns(ctx context.Context, app renga.AppID,
	of map[string]scheduleRecord) (map[string]renga.ScheduledRun, error) {
	last := map[string]renga.ScheduledRun{}
	err := s.do(ctx, "read last runs of app "+string(app), func(ctx context.Context) error {
		stored := map[string]*redis.StringCmd{}
		err := s.read(ctx, func(p redis.Pipeliner) {
			for id, r := range of {
				stored[id] = p.HGet(ctx, keyRuns(app, id), r.Last)
			}
		})
		for id, text := range stored {
			if err != nil {
				return err
			}
			if missing(text.Err()) {
				continue // it never ran, or has gone meanwhile
			}
			var r runRecord
			r, err = decode[runRecord](keyRuns(app, id), text.Val())
			last[id] = r.run(id, of[id].Last)
		}
		return err
	})
	return last, err
}

// EditSchedules lets edit add to an app's schedules, by id, and change them.
// edit may be called several times, and its error is the answer.
func (s *Store) EditSchedules(ctx context.Context, app renga.AppID,
	edit func(all map[string]renga.Schedule) error) error {
	return editCollection(ctx, s, appCollection(app, keySchedules(app)), func(all map[string]scheduleRecord) error {
		schedules := map[string]renga.Schedule{}
		for id, r := range all {
			schedules[id] = r.schedule(app, id)
		}
		if err := edit(schedules); err != nil {
			return err
		}
		for id, sch := range schedules {
			all[id] = newScheduleRecord(sch, all[id].Last)
		}
		return nil
	})
}

// RemoveSchedule removes a schedule with its runs; renga.NotFound when there is
// none of that id.
func (s *Store) RemoveSchedule(ctx context.Context, app renga.AppID, id string) error {
	return s.editSchedule(ctx, "remove schedule "+id, app, id,
		func(tx *redis.Tx, _ scheduleRecord, unfinished map[string]string) error {
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.HDel(ctx, keySchedules(app), id)
				p.Del(ctx, keyRuns(app, id))
				for run, of := range unfinished {
					if of == id {
						p.HDel(ctx, keyUnfinished(app), run)
					}
				}
			})
		})
}

// editSchedule calls do for an existing schedule, with its app's runs that are
// not over.
func (s *Store) editSchedule(ctx context.Context, what string, app renga.AppID, id string,
	do func(tx *redis.Tx, r scheduleRecord, unfinished map[string]string) error) error {
	return s.do(ctx, what, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			stored, err := tx.HGet(ctx, keySchedules(app), id).Result()
			if missing(err) {
				return renga.Errorf(renga.NotFound, "Couldn't find that schedule.")
			}
			if err != nil {
				return err
			}
			r, err := decode[scheduleRecord](keySchedules(app), stored)
			if err != nil {
				return err
			}
			unfinished, err := tx.HGetAll(ctx, keyUnfinished(app)).Result()
			if err != nil {
				return err
			}
			return do(tx, r, unfinished)
		}, keySchedules(app), keyUnfinished(app), keyRuns(app, id))
	})
}

func newScheduleRecord(s renga.Schedule, last string) scheduleRecord {
	return scheduleRecord{
		Name: s.Name, Cron: s.Cron, Zone: s.Zone, Command: s.Command, Type: s.Type, Size: s.Size, Overlap: s.Overlap,
		Enabled:   s.Enabled,
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(), Next: s.Next.UTC(), Last: last,
	}
}

func (r scheduleRecord) schedule(app renga.AppID, id string) renga.Schedule {
	return renga.Schedule{
		ID: id, App: app, Name: r.Name, Cron: r.Cron, Zone: r.Zone, Command: r.Command, Type: r.Type, Size: r.Size,
		Overlap: r.Overlap, Enabled: r.Enabled,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Next: r.Next.UTC(),
	}
}
