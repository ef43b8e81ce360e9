package scheduler

import (
	"context"
	"time"

	"github.com/google/uuid"

	"renga"
)

// AddSchedule adds a schedule to an app, and returns it as stored.
func (s *Scheduler) AddSchedule(ctx context.Context, sch renga.Schedule) (renga.Schedule, error) {
	sch.ID, sch.CreatedAt = uuid.NewString(), s.Now()
	return s.editOne(ctx, sch.App, sch.ID, func(all map[string]renga.Schedule) (renga.Schedule, error) {
		if len(all) >= MaxSchedules {
			return sch, renga.Errorf(renga.Invalid, "An app may have %d schedules; remove one first.", MaxSchedules)
		}
		return sch, nil
	})
}

// UpdateSchedule lets edit change a schedule, and returns it as stored.
func (s *Scheduler) UpdateSchedule(ctx context.Context, app renga.AppID, id string,
	edit func(*renga.Schedule) error) (renga.Schedule, error) {
	return s.editOne(ctx, app, id, func(all map[string]renga.Schedule) (renga.Schedule, error) {
		sch, there := all[id]
		if !there {
			return sch, noSchedule()
		}
		return sch, edit(&sch)
	})
}

// RemoveSchedule removes a schedule with its runs. A running dyno of it goes
// on.
func (s *Scheduler) RemoveSchedule(ctx context.Context, app renga.AppID, id string) error {
	return s.store.RemoveSchedule(ctx, app, id)
}

func noSchedule() error { return renga.Errorf(renga.NotFound, "Couldn't find that schedule.") }

// editOne lets change edit one schedule among an app's, and stores it if it is
// valid.
func (s *Scheduler) editOne(ctx context.Context, app renga.AppID, id string,
	change func(all map[string]renga.Schedule) (renga.Schedule, error)) (renga.Schedule, error) {
	var sch renga.Schedule
	err := s.store.EditSchedules(ctx, app, func(all map[string]renga.Schedule) (err error) {
		before := all[id]
		if sch, err = change(all); err != nil {
			return err
		}
		if err := s.settle(&sch, before); err != nil {
			return err
		}
		for _, other := range all {
			if other.ID != id && other.Name == sch.Name && sch.Name != "" {
				return renga.Errorf(renga.Conflict, "The app has a schedule %s already.", sch.Name)
			}
		}
		all[id] = sch
		return nil
	})
	// Whatever became of it: the next look finds out.
	s.lookAt(app, s.Now())
	s.interrupt()
	return sch, err
}

// settle checks a schedule and sets its next time. If its times have not
// changed it keeps the next one, which may be overdue.
func (s *Scheduler) settle(sch *renga.Schedule, before renga.Schedule) error {
	if err := sch.Validate(); err != nil {
		return err
	}
	tt, err := read(*sch)
	if err != nil {
		return err
	}
	sch.UpdatedAt = s.Now()
	next := tt.next(s.Now())
	if next.IsZero() {
		return renga.Errorf(renga.Invalid, "Cron names a time that never comes.")
	}
	switch {
	case !sch.Enabled:
		sch.Next = time.Time{}
	case before.Next.IsZero() || sch.Cron != before.Cron || sch.Zone != before.Zone:
		sch.Next = next
	}
	return nil
}

// RunSchedule runs a schedule's command once, now, whether it is enabled or not.
func (s *Scheduler) RunSchedule(ctx context.Context, app renga.AppID, id string) (renga.ScheduledRun, error) {
	var o manualRun
	err := s.runs.NoteRuns(ctx, app, id, func(sch *renga.Schedule, going int) ([]renga.ScheduledRun, error) {
		if going > 0 && !sch.Overlap {
			return nil, renga.Errorf(renga.Conflict, "A run of %s is still going; stop its dyno first, or let runs overlap.",
				sch.Label())
		}
		o = manualRun{*sch, newRun(*sch, s.Now())}
		return []renga.ScheduledRun{o.run}, nil
	})
	if err == nil {
		s.mu.Lock()
		s.manualRuns = append(s.manualRuns, o)
		s.mu.Unlock()
		s.interrupt()
	}
	return o.run, err
}
