package backups

import (
	"context"
	"errors"
	"time"

	"renga"
)

// leftovers are what the process before this one was killed over.
type leftovers struct {
	s *Service
	// unswept is set until the place was swept, and all are the records that are not
	// settled yet.
	unswept bool
	all     []renga.Backup
}

// leftovers finds them, before anything else is begun.
func (s *Service) leftovers(ctx context.Context) *leftovers {
	l := &leftovers{s: s, unswept: true}
	for ctx.Err() == nil {
		all, err := s.Store.Backups(ctx)
		if err == nil {
			for _, b := range all {
				if b.State == renga.BackupRunning || b.Proof.State == renga.ProofRunning {
					l.all = append(l.all, b)
				}
			}
			break
		}
		s.Log.Warn("backups of the last start are not known", "err", err)
		s.pause(ctx, time.Second)
	}
	return l
}

// settle ends them. What cannot be settled, for the place or Docker is away, is no reason
// to do nothing: it stays for the next time.
func (l *leftovers) settle(ctx context.Context) error {
	var faults []error
	if l.unswept && l.s.idle() {
		err := l.s.Place.Sweep(ctx)
		l.unswept = err != nil
		faults = append(faults, err)
	}
	var left []renga.Backup
	for _, b := range l.all {
		if err := l.s.settleOne(ctx, b); err != nil && renga.KindOf(err) != renga.NotFound {
			left, faults = append(left, b), append(faults, err)
		}
	}
	l.all = left
	return errors.Join(faults...)
}

// idle tells whether nothing is under way.
func (s *Service) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running) == 0
}

// settleOne ends one that was cut short.
func (s *Service) settleOne(ctx context.Context, b renga.Backup) error {
	if b.State != renga.BackupRunning {
		return s.settleProof(ctx, b)
	}
	return s.settleRunning(ctx, b)
}

// settleRunning ends a backup or a restore. A backup's file may be whole, and nobody knows.
// One that a schedule asked for is done again, for nobody would see that it is missing.
func (s *Service) settleRunning(ctx context.Context, b renga.Backup) error {
	if b.HasFile() {
		if err := s.Place.Remove(ctx, fileName(b)); err != nil {
			return err
		}
	}
	if b.Schedule != "" && b.Attempts < maxAttempts && !b.Cancel {
		return s.Store.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
			b.State, b.Bytes = renga.BackupPending, 0
			return nil
		})
	}
	why := "Renga ended before it was whole. Ask for another one."
	switch {
	case b.IsRestore():
		why = "Renga ended in the middle of it, and the data may be neither the old ones nor the new ones. Restore it again."
	case b.IsCopy():
		why = "Renga ended in the middle of it, and the data may be neither the old ones nor the new ones. Copy them again."
	}
	return s.end(ctx, b, outcome{state: renga.BackupFailed, reason: why})
}
