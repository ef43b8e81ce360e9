package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"renga"
)

// scan reads everything: at the start all schedules, and the runs that another
// process left; later what went wrong half-way.
func (s *Scheduler) scan(ctx context.Context) error {
	due, err := s.store.DueApps(ctx)
	if err != nil {
		return err
	}
	for app, at := range due {
		s.lookAt(app, at)
	}
	left, err := s.runs.UnfinishedRuns(ctx)
	for app, runs := range left {
		if err == nil {
			err = s.resume(ctx, app, runs)
		}
	}
	return err
}

// resume continues the runs of an app that are not over and that this process
// does not hold.
func (s *Scheduler) resume(ctx context.Context, app renga.AppID, left []renga.ScheduledRun) error {
	all, err := s.store.Schedules(ctx, app)
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	byID := map[string]renga.Schedule{}
	for _, sch := range all {
		byID[sch.ID] = sch
	}
	for _, run := range left {
		sch, there := byID[run.Schedule]
		switch {
		case err != nil:
			return err
		case !there || s.holds(run.ID):
		case run.Status == renga.RunStarting && s.Now().Sub(run.DueAt) < grace:
			s.begin(ctx, sch, run)
		default:
			err = s.find(ctx, sch, run)
		}
	}
	return err
}

// find looks for the dyno of a run that should have one. If the engine cannot
// tell, the run stays as it is.
func (s *Scheduler) find(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun) error {
	d, err := s.runner.FindOneOff(ctx, sch.App, run.ID)
	switch {
	case err == nil && run.Status == renga.RunRunning:
		return nil
	case err == nil:
		return s.runs.UpdateRun(ctx, sch.App, run.ID, func(r *renga.ScheduledRun) { r.Began(d) })
	case renga.KindOf(err) != renga.NotFound:
		s.Log.WarnContext(ctx, "dyno of a schedule's run is not found", "app", sch.App, "run", run.ID, "err", err)
		s.scanAgain()
		return nil
	case run.Status == renga.RunRunning:
		return s.giveUp(ctx, sch, run, renga.RunFailed, "Its dyno is gone, so nobody knows how it ended.")
	}
	return s.giveUp(ctx, sch, run, renga.RunMissed, "Renga was ended before it could start it.")
}

// giveUp ends a run without a dyno, and writes that into the app's log.
func (s *Scheduler) giveUp(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun, status renga.RunStatus,
	reason string) error {
	run.GiveUp(status, s.Now(), reason)
	err := s.runs.UpdateRun(ctx, sch.App, run.ID, func(r *renga.ScheduledRun) { r.GiveUp(status, run.FinishedAt, reason) })
	if err == nil {
		s.logRun(sch, run)
	}
	return err
}

// logRun writes into the app's log why a run had no dyno.
func (s *Scheduler) logRun(sch renga.Schedule, run renga.ScheduledRun) {
	s.appLog.Line(sch.App, renga.SourceHeroku, string(renga.Scheduler), fmt.Sprintf("Run of %s due at %s %s: %s",
		sch.Label(), run.DueAt.UTC().Format(time.RFC3339), run.Status, run.Reason))
}

// newRun is a run to be started.
func newRun(sch renga.Schedule, due time.Time) renga.ScheduledRun {
	return renga.ScheduledRun{
		ID: uuid.Must(uuid.NewV7()).String(), Schedule: sch.ID, Status: renga.RunStarting, DueAt: due,
	}
}

// claim notes the runs of a due schedule and moves it on to its next time, in
// one transaction; then it starts the run that is to be started.
func (s *Scheduler) claim(ctx context.Context, app renga.AppID, id string) (renga.Schedule, error) {
	var sch renga.Schedule
	var noted []renga.ScheduledRun
	err := s.runs.NoteRuns(ctx, app, id, func(now *renga.Schedule, going int) ([]renga.ScheduledRun, error) {
		noted = s.decide(now, going)
		sch = *now
		return noted, nil
	})
	if renga.KindOf(err) == renga.NotFound {
		return sch, nil
	}
	if err != nil {
		return sch, err
	}
	for _, run := range noted {
		if run.Over() {
			s.logRun(sch, run)
		} else {
			s.begin(ctx, sch, run)
		}
	}
	return sch, nil
}

// decide returns the runs of a due schedule, and sets its next time.
func (s *Scheduler) decide(sch *renga.Schedule, going int) []renga.ScheduledRun {
	now := s.Now()
	if sch.Next.IsZero() || sch.Next.After(now) {
		return nil // somebody changed it meanwhile
	}
	tt, err := read(*sch)
	if err != nil { // a newer Renga knew how to read it
		sch.Next = time.Time{}
		return nil
	}
	v := tt.decide(sch.Next, now)
	sch.Next = v.next
	var runs []renga.ScheduledRun
	if !v.missed.IsZero() {
		run := newRun(*sch, v.missed)
		run.GiveUp(renga.RunMissed, now, "Renga was not running, or could not reach its Redis"+sinceWhen(v)+".")
		runs = append(runs, run)
	}
	if !v.start.IsZero() {
		run := newRun(*sch, v.start)
		if going > 0 && !sch.Overlap {
			run.GiveUp(renga.RunSkipped, now, "The run before it was still going.")
		}
		runs = append(runs, run)
	}
	return runs
}

// sinceWhen says that more runs than the last one were missed.
func sinceWhen(v decision) string {
	if v.since.Equal(v.missed) {
		return ""
	}
	return "; the runs before it were missed too, since that of " + v.since.UTC().Format(time.RFC3339)
}

// hold claims a run for one goroutine; false if another holds it.
func (s *Scheduler) hold(run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[run] {
		return false
	}
	s.held[run] = true
	return true
}

func (s *Scheduler) holds(run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[run]
}

func (s *Scheduler) unhold(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, run)
}

// begin starts a noted run in the background, unless that is under way already.
func (s *Scheduler) begin(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun) {
	if !s.hold(run.ID) {
		return
	}
	s.tasks.Go(func() {
		defer s.unhold(run.ID)
		if err := s.startRun(ctx, sch, run); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "run of a schedule waits", "app", sch.App, "schedule", sch.ID, "err", err)
			s.scanAgain()
		}
	})
}

// startRun starts a run's dyno and records the result. It reads the run again
// once it holds it: the dyno of a run that is only noted was never started, or
// still exists.
func (s *Scheduler) startRun(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun) error {
	noted := false
	err := s.runs.UpdateRun(ctx, sch.App, run.ID, func(r *renga.ScheduledRun) { noted = r.Status == renga.RunStarting })
	if err != nil || !noted {
		return err
	}
	d, err := s.launch(ctx, sch, run)
	switch {
	case ctx.Err() != nil:
		return nil // the next process finds what came of it
	case err == nil:
		return s.runs.UpdateRun(ctx, sch.App, run.ID, func(r *renga.ScheduledRun) { r.Began(d) })
	}
	return s.giveUp(ctx, sch, run, status(err), renga.MessageOf(err,
		"It could not be started, for a reason that is in Renga's log."))
}

// status is the status of a run that could not be started.
func status(err error) renga.RunStatus {
	if renga.KindOf(err) == renga.Unavailable {
		return renga.RunMissed
	}
	return renga.RunFailed
}

// launch starts a run's dyno. After an error that may pass it tries again, as
// long as the run may be late.
func (s *Scheduler) launch(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun) (renga.Dyno, error) {
	for {
		d, err := s.try(ctx, sch, run)
		if renga.KindOf(err) != renga.Unavailable || s.Now().Sub(run.DueAt) >= grace {
			if renga.KindOf(err) == renga.Internal && ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "scheduled dyno does not start", "app", sch.App, "schedule", sch.ID, "err", err)
			}
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(retry):
		}
	}
}

// try starts a run's dyno when it is its turn.
func (s *Scheduler) try(ctx context.Context, sch renga.Schedule, run renga.ScheduledRun) (renga.Dyno, error) {
	select {
	case s.starts <- struct{}{}:
		defer func() { <-s.starts }()
	case <-ctx.Done():
		return renga.Dyno{}, ctx.Err()
	}
	return s.runner.RunOneOff(ctx, sch.App, sch.OneOff(run))
}
