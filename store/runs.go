package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// maxRuns is how many runs are kept of a schedule, besides those that are not
// over.
const maxRuns = 100

type runRecord struct {
	Status     renga.RunStatus `json:"status"`
	Dyno       string          `json:"dyno,omitempty"`
	Release    int             `json:"release,omitempty"`
	DueAt      time.Time       `json:"due_at,omitzero"`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
	ExitCode   *int            `json:"exit_code,omitempty"`
	Reason     string          `json:"reason,omitempty"`
}

// NoteRuns lets decide change a schedule and adds the runs that it gives back,
// all at once. going counts the schedule's runs that are not over. decide may be
// called several times, and its error is the answer.
func (s *Store) NoteRuns(ctx context.Context, app renga.AppID, id string,
	decide func(sch *renga.Schedule, going int) ([]renga.ScheduledRun, error)) error {
	return s.editSchedule(ctx, "note runs of schedule "+id, app, id,
		func(tx *redis.Tx, r scheduleRecord, unfinished map[string]string) error {
			sch, going := r.schedule(app, id), 0
			for _, of := range unfinished {
				if of == id {
					going++
				}
			}
			runs, err := decide(&sch, going)
			if err != nil {
				return err
			}
			kept, err := tx.HKeys(ctx, keyRuns(app, id)).Result()
			if err != nil {
				return err
			}
			old := outdated(kept, unfinished, len(runs))
			return multi(ctx, tx, func(p redis.Pipeliner) {
				for _, run := range runs {
					r.Last = run.ID
					p.HSet(ctx, keyRuns(app, id), run.ID, encode(newRunRecord(run)))
					if !run.Over() {
						p.HSet(ctx, keyUnfinished(app), run.ID, id)
					}
				}
				if len(old) > 0 {
					p.HDel(ctx, keyRuns(app, id), old...)
				}
				p.HSet(ctx, keySchedules(app), id, encode(newScheduleRecord(sch, r.Last)))
			})
		})
}

// outdated lists the runs that make room for more, the oldest ones. Runs' ids are
// in order of time.
func outdated(kept []string, unfinished map[string]string, more int) []string {
	over := slices.DeleteFunc(kept, func(run string) bool { return unfinished[run] != "" })
	slices.Sort(over)
	return over[:max(0, len(over)+more-maxRuns)]
}

// Runs reads what is kept of a schedule's runs, oldest first.
func (s *Store) Runs(ctx context.Context, app renga.AppID, id string) ([]renga.ScheduledRun, error) {
	records, err := readCollection[runRecord](ctx, s, appCollection(app, keyRuns(app, id)))
	if err != nil {
		return nil, err
	}
	all := make([]renga.ScheduledRun, 0, len(records))
	for _, run := range slices.Sorted(maps.Keys(records)) {
		all = append(all, records[run].run(id, run))
	}
	return all, nil
}

// UnfinishedRuns reads the runs of all apps that are not over.
func (s *Store) UnfinishedRuns(ctx context.Context) (map[renga.AppID][]renga.ScheduledRun, error) {
	listed := map[renga.AppID]map[string]string{}
	err := s.ofAllApps(ctx, "find runs that are not over", keyUnfinished,
		func(app renga.AppID, fields map[string]string) error {
			listed[app] = fields
			return nil
		})
	if err != nil {
		return nil, err
	}
	all := map[renga.AppID][]renga.ScheduledRun{}
	for app, runs := range listed {
		if all[app], err = s.someRuns(ctx, app, runs); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// someRuns reads runs of an app, by their ids with those of their schedules.
func (s *Store) someRuns(ctx context.Context, app renga.AppID, which map[string]string) ([]renga.ScheduledRun, error) {
	var all []renga.ScheduledRun
	err := s.do(ctx, "read runs of app "+string(app), func(ctx context.Context) error {
		stored := map[string]*redis.StringCmd{}
		err := s.read(ctx, func(p redis.Pipeliner) {
			for run, id := range which {
				stored[run] = p.HGet(ctx, keyRuns(app, id), run)
			}
		})
		for _, run := range slices.Sorted(maps.Keys(stored)) {
			if err != nil {
				return err
			}
			if missing(stored[run].Err()) {
				continue // it has gone meanwhile
			}
			var r runRecord
			r, err = decode[runRecord](keyRuns(app, which[run]), stored[run].Val())
			all = append(all, r.run(which[run], run))
		}
		return err
	})
	return all, err
}

// UpdateRun lets edit change a run that is not over. It does nothing for a run
// that is over or gone.
func (s *Store) UpdateRun(ctx context.Context, app renga.AppID, run string, edit func(*renga.ScheduledRun)) error {
	return s.do(ctx, "update run "+run, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return updateRun(ctx, tx, app, run, edit) }, keyUnfinished(app))
	})
}

// updateRun is one try of UpdateRun. Which key the run lies in is known only
// then.
func updateRun(ctx context.Context, tx *redis.Tx, app renga.AppID, run string, edit func(*renga.ScheduledRun)) error {
	id, err := tx.HGet(ctx, keyUnfinished(app), run).Result()
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.Watch(ctx, keyRuns(app, id)).Err(); err != nil {
		return err
	}
	stored, err := tx.HGet(ctx, keyRuns(app, id), run).Result()
	if err != nil {
		return err
	}
	r, err := decode[runRecord](keyRuns(app, id), stored)
	if err != nil {
		return err
	}
	changed := r.run(id, run)
	edit(&changed)
	text := encode(newRunRecord(changed))
	if text == stored {
		return nil
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		p.HSet(ctx, keyRuns(app, id), run, text)
		if changed.Over() {
			p.HDel(ctx, keyUnfinished(app), run)
		}
	})
}

// RunEnded notes how the dyno of a run ended.
func (s *Store) RunEnded(ctx context.Context, d renga.Dyno) error {
	return s.UpdateRun(ctx, d.App, d.ID, func(r *renga.ScheduledRun) { r.Ended(d) })
}

func newRunRecord(r renga.ScheduledRun) runRecord {
	return runRecord{
		Status: r.Status, Dyno: r.Dyno, Release: r.Release, DueAt: r.DueAt.UTC(), StartedAt: r.StartedAt.UTC(),
		FinishedAt: r.FinishedAt.UTC(),
		ExitCode:   r.ExitCode, Reason: r.Reason,
	}
}

func (r runRecord) run(schedule, id string) renga.ScheduledRun {
	return renga.ScheduledRun{
		ID: id, Schedule: schedule, Status: r.Status, Dyno: r.Dyno, Release: r.Release,
		DueAt: r.DueAt.UTC(), StartedAt: r.StartedAt.UTC(), FinishedAt: r.FinishedAt.UTC(), ExitCode: r.ExitCode,
		Reason: r.Reason,
	}
}
