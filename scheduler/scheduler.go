// Package scheduler starts one-off dynos at the times that apps' schedules name.
//
// A run is noted before it is started, in the transaction that moves its
// schedule on to the next time, and its id is its dyno's: so the next process
// finds out whether there is such a dyno. So no time has two runs, whenever we
// are killed, and no run is under way for ever.
//
//	noted ──► its dyno is started ──► running ──► succeeded, failed
//	  └────► nobody could in time ──► missed
//
// The dyno manager records how a dyno ended, and keeps the dyno until that is
// done.
package scheduler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
)

// Store keeps schedules. An app or a schedule that is gone is renga.NotFound.
type Store interface {
	// DueApps gives, for each app with schedules, the time when one is due next.
	DueApps(ctx context.Context) (map[renga.AppID]time.Time, error)
	Schedules(ctx context.Context, app renga.AppID) ([]renga.Schedule, error)
	// EditSchedules lets edit add to an app's schedules, by id, and change them.
	EditSchedules(ctx context.Context, app renga.AppID, edit func(all map[string]renga.Schedule) error) error
	// RemoveSchedule removes one with its runs.
	RemoveSchedule(ctx context.Context, app renga.AppID, id string) error
}

// Runs keeps the runs of schedules.
type Runs interface {
	// NoteRuns lets decide change a schedule and adds the runs that it gives back,
	// all at once. going counts the schedule's runs that are not over.
	NoteRuns(ctx context.Context, app renga.AppID, id string,
		decide func(s *renga.Schedule, going int) ([]renga.ScheduledRun, error)) error
	// UnfinishedRuns are those of all apps that are not over.
	UnfinishedRuns(ctx context.Context) (map[renga.AppID][]renga.ScheduledRun, error)
	// UpdateRun changes a run that is not over; otherwise it does nothing.
	UpdateRun(ctx context.Context, app renga.AppID, id string, edit func(*renga.ScheduledRun)) error
}

// Runner runs one-off dynos.
type Runner interface {
	// RunOneOff starts a detached dyno. It is renga.Unavailable when that may work
	// in a while.
	RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, error)
	// FindOneOff finds a dyno by its id, whether it still runs or not; it is
	// renga.NotFound when there is none.
	FindOneOff(ctx context.Context, app renga.AppID, dyno string) (renga.Dyno, error)
}

// AppLog writes a line into an app's log.
type AppLog interface {
	Line(app renga.AppID, source, dyno, text string)
}

const (
	// MaxSchedules is how many an app may have.
	MaxSchedules = 50
	// grace is how late a run may be started, so that a replacement of Renga or a
	// short outage of the engine skips none.
	grace = time.Minute
	// scanEvery is how often everything is read again, in case something was
	// missed.
	scanEvery = 5 * time.Minute
	// retry is the pause after something went wrong.
	retry = 2 * time.Second
	// maxSleep bounds the sleep, for the clock may be set.
	maxSleep = time.Minute
	// maxParallel bounds how many apps are read, or dynos started, at once.
	maxParallel = 8
)

// Options are what the room works with.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
}

// Scheduler starts what is due.
type Scheduler struct {
	Options
	store  Store
	runs   Runs
	runner Runner
	appLog AppLog

	interrupted chan struct{} // something is due earlier than it was
	starts      chan struct{} // as many as may be under way
	tasks       sync.WaitGroup

	mu         sync.Mutex
	due        map[renga.AppID]time.Time // when to look at an app
	held       map[string]bool           // runs that somebody in this process starts
	manualRuns []manualRun
	scannedAt  time.Time // the last scan; zero if it must be repeated
}

// manualRun is a run by hand.
type manualRun struct {
	schedule renga.Schedule
	run      renga.ScheduledRun
}

// New makes the room. Nothing is started.
func New(o Options, s Store, runs Runs, r Runner, l AppLog) *Scheduler {
	return &Scheduler{
		Options: o, store: s, runs: runs, runner: r, appLog: l,
		interrupted: make(chan struct{}, 1), starts: make(chan struct{}, maxParallel),
		due: map[renga.AppID]time.Time{}, held: map[string]bool{},
	}
}

// Run starts what is due until ctx ends, and then waits for the starts that are
// under way. Dynos go on running.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.tasks.Wait()
	said := ""
	for ctx.Err() == nil {
		err := s.runDue(ctx)
		if err != nil && err.Error() != said && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "schedules wait", "err", err)
		}
		said = textOf(err)
		timer := time.NewTimer(s.pause(err))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.interrupted:
		}
		timer.Stop()
	}
	return nil
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// runDue does all that is due. The next call does what an error left undone.
func (s *Scheduler) runDue(ctx context.Context) error {
	if s.scanIsDue() {
		if err := s.scan(ctx); err != nil {
			s.scanAgain()
			return err
		}
	}
	for _, o := range s.takeManualRuns() {
		s.begin(ctx, o.schedule, o.run)
	}
	var apps errgroup.Group
	apps.SetLimit(maxParallel)
	for _, app := range s.takeDue() {
		apps.Go(func() error {
			err := s.runDueOf(ctx, app)
			if err != nil {
				s.lookAt(app, s.Now())
				s.scanAgain()
			}
			return err
		})
	}
	return apps.Wait()
}

func (s *Scheduler) scanIsDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.Now().Sub(s.scannedAt) >= scanEvery
	if due {
		s.scannedAt = s.Now()
	}
	return due
}

// scanAgain has the next runDue scan everything.
func (s *Scheduler) scanAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scannedAt = time.Time{}
}

func (s *Scheduler) takeManualRuns() []manualRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.manualRuns
	s.manualRuns = nil
	return all
}

// pause is how long nothing is due.
func (s *Scheduler) pause(err error) time.Duration {
	if err != nil {
		return retry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := maxSleep
	for _, at := range s.due {
		pause = min(pause, max(0, at.Sub(s.Now())))
	}
	return pause
}

// lookAt has an app read at that time at the latest.
func (s *Scheduler) lookAt(app renga.AppID, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.due[app]; !at.IsZero() && (!ok || at.Before(known)) {
		s.due[app] = at
	}
}

// takeDue takes the apps that are due out of the list.
func (s *Scheduler) takeDue() []renga.AppID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var apps []renga.AppID
	for app, at := range s.due {
		if !at.After(s.Now()) {
			apps = append(apps, app)
			delete(s.due, app)
		}
	}
	return apps
}

// runDueOf notes and starts what is due of an app.
func (s *Scheduler) runDueOf(ctx context.Context, app renga.AppID) error {
	all, err := s.store.Schedules(ctx, app)
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	for _, sch := range all {
		if !sch.Next.IsZero() && !sch.Next.After(s.Now()) && err == nil {
			sch, err = s.claim(ctx, app, sch.ID)
		}
		s.lookAt(app, sch.Next)
	}
	return err
}

// interrupt ends Run's sleep.
func (s *Scheduler) interrupt() {
	select {
	case s.interrupted <- struct{}{}:
	default:
	}
}
