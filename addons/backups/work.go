package backups

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"renga"
)

const (
	// atOnce is how many backups and restores are under way at once.
	atOnce = 2
	// lookPause is the longest between two looks at what there is to do.
	lookPause = 30 * time.Second
	// workLimit bounds one backup or restore.
	workLimit = 24 * time.Hour
	// maxAttempts is how often one that a schedule asked for is begun.
	maxAttempts = 3
)

// Run does what is asked for until ctx ends: first it ends what the process before
// this one was killed over.
func (s *Service) Run(ctx context.Context) error {
	left := s.leftovers(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	for ctx.Err() == nil {
		for _, step := range []func(context.Context) error{left.settle, s.ask, s.clean, s.starter(&working), s.prover(&working)} {
			if err := step(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("backups are not looked after", "err", err)
			}
		}
		s.pause(ctx, lookPause)
	}
	return nil
}

// pause waits until there may be something to do.
func (s *Service) pause(ctx context.Context, longest time.Duration) {
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-time.After(longest):
	}
}

// starter is start with what waits for those that it begins.
func (s *Service) starter(working *sync.WaitGroup) func(context.Context) error {
	return func(ctx context.Context) error { return s.start(ctx, working) }
}

// start begins what is pending, the oldest first, as far as there is a place for it.
func (s *Service) start(ctx context.Context, working *sync.WaitGroup) error {
	all, err := s.Store.Backups(ctx)
	if err != nil {
		return err
	}
	pending := slices.DeleteFunc(all, func(b renga.Backup) bool { return b.State != renga.BackupPending })
	slices.SortFunc(pending, func(a, b renga.Backup) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, b := range pending {
		bounded, done, ok := s.enter(ctx, b.ID)
		if !ok {
			continue
		}
		working.Go(func() {
			defer done()
			s.work(ctx, bounded, b)
		})
	}
	return nil
}

// enter gives a backup one of the places, if there is one.
func (s *Service) enter(ctx context.Context, id renga.BackupID) (context.Context, func(), bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= atOnce || s.running[id] != nil {
		return nil, nil, false
	}
	limited, free := context.WithTimeout(ctx, workLimit)
	bounded, end := context.WithCancelCause(limited)
	s.running[id] = end
	return bounded, func() {
		end(nil)
		free()
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
		s.look()
	}, true
}

// work does one within bounded, and records what became of it. What ends because
// Renga does, and ctx with it, is settled by the next start.
func (s *Service) work(ctx, bounded context.Context, b renga.Backup) {
	b, err := s.begin(bounded, b)
	if err != nil {
		s.Log.Warn("a backup is not begun", "backup", b.ID, "err", err)
		return
	}
	if b.State != renga.BackupRunning {
		return
	}
	var o outcome
	switch {
	case b.IsRestore():
		err = s.restore(bounded, b)
	case b.IsCopy():
		o.source, err = s.copy(bounded, b)
	default:
		o, err = s.dump(bounded, b)
	}
	switch cause := context.Cause(bounded); {
	case err == nil:
		o.state = renga.BackupCompleted
	case errors.Is(cause, errCanceled):
		o.state = renga.BackupCanceled
	case errors.Is(cause, context.Canceled):
		return // Renga ends
	default:
		o.state, o.reason = renga.BackupFailed, renga.MessageOf(err, "Something went wrong; Renga's log says what.")
		s.Log.Warn("a backup or a restore failed", "addon", b.AddOnName, "backup", b.ID, "err", err)
	}
	s.endForSure(ctx, b, o)
}

// begin records that one is under way.
func (s *Service) begin(ctx context.Context, b renga.Backup) (renga.Backup, error) {
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
		if x.State == renga.BackupPending {
			x.State, x.StartedAt = renga.BackupRunning, s.Now().UTC()
			x.Attempts++
		}
		b = *x
		return nil
	})
	return b, err
}

// outcome is what became of one.
type outcome struct {
	state              renga.BackupState
	reason             string
	source, size, kept int64
}

const (
	// endPause is between two tries to record an outcome.
	endPause = time.Second
	// lastTries is for how long it is tried once Renga ends, which waits for that.
	// What has no record then is settled by the next start.
	lastTries = 3 * time.Second
)

// endForSure records an outcome, however long the store is away, unless Renga ends.
func (s *Service) endForSure(ctx context.Context, b renga.Backup, o outcome) {
	ctx, done := outlive(ctx, lastTries)
	defer done()
	for {
		err := s.end(ctx, b, o)
		if err == nil || renga.KindOf(err) == renga.NotFound {
			return
		}
		s.Log.Warn("the end of a backup is not recorded", "backup", b.ID, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(endPause):
		}
	}
}

// outlive makes a context that ends that long after another, or when it is done with.
func outlive(ctx context.Context, by time.Duration) (longer context.Context, done func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-longer.Done():
		case <-time.After(by):
			end()
		}
	})
	return longer, func() { stop(); end() }
}

// end records an outcome, and tells of it.
func (s *Service) end(ctx context.Context, b renga.Backup, o outcome) error {
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
		x.State, x.Reason, x.FinishedAt = o.state, o.reason, s.Now().UTC()
		x.SourceBytes = cmp.Or(o.source, x.SourceBytes)
		x.Bytes, x.StoredBytes = cmp.Or(o.size, x.Bytes), o.kept
		b = *x
		return nil
	})
	if err != nil {
		return err
	}
	s.say(b, told(b))
	return nil
}

// told is a backup's end in a line.
func told(b renga.Backup) string {
	what := "Backup of " + b.AddOnName
	switch {
	case b.IsRestore():
		what = "Restore of a backup of " + b.OfName + " into " + b.AddOnName
	case b.IsCopy():
		what = "Copy of " + b.OfName + " into " + b.AddOnName
	}
	switch b.State {
	case renga.BackupFailed:
		return what + " failed: " + b.Reason
	case renga.BackupCanceled:
		return what + " was canceled"
	}
	return what + " completed"
}
