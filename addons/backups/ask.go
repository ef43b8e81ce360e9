package backups

import (
	"context"
	"errors"
	"time"

	"renga"
)

// Check is an error if the data of an add-on cannot be copied, now or ever.
func (s *Service) Check(a renga.AddOn) error { return s.Archiver.CheckArchive(a) }

// Capture asks for a backup of an add-on's data. schedule is the name of the schedule
// that asks for it; empty if somebody does.
func (s *Service) Capture(ctx context.Context, a renga.AddOn, schedule string, by renga.AccountID) (renga.Backup, error) {
	if err := s.Archiver.CheckArchive(a); err != nil {
		return renga.Backup{}, err
	}
	return s.create(ctx, s.newBackup(a, schedule, by))
}

// Restore asks for a backup's data to replace those of an add-on of the same service.
func (s *Service) Restore(ctx context.Context, b renga.Backup, to renga.AddOn, by renga.AccountID) (renga.Backup, error) {
	switch {
	case !b.Restorable():
		return renga.Backup{}, notWhole(b)
	case b.Service != to.Service:
		return renga.Backup{}, renga.Errorf(renga.Invalid, "A backup of a %s cannot be restored into %s, which is a %s.",
			b.Service, to.Name, to.Service)
	}
	if err := s.Archiver.CheckArchive(to); err != nil {
		return renga.Backup{}, err
	}
	r := s.newBackup(to, "", by)
	r.Of, r.OfName, r.SourceBytes = b.ID, b.AddOnName, b.Bytes
	return s.create(ctx, r)
}

// Copy asks for the data of one add-on to replace those of another one of the same service.
func (s *Service) Copy(ctx context.Context, from, to renga.AddOn, by renga.AccountID) (renga.Backup, error) {
	switch {
	case from.ID == to.ID:
		return renga.Backup{}, renga.Errorf(renga.Invalid, "%s cannot be copied onto itself.", to.Name)
	case from.Service != to.Service:
		return renga.Backup{}, renga.Errorf(renga.Invalid, "%s cannot be copied into %s, which is a %s.", from.Name, to.Name, to.Service)
	}
	for _, a := range []renga.AddOn{from, to} {
		if err := s.Archiver.CheckArchive(a); err != nil {
			return renga.Backup{}, err
		}
	}
	c := s.newBackup(to, "", by)
	c.From, c.OfName = from.ID, from.Name
	return s.create(ctx, c)
}

func notWhole(b renga.Backup) error {
	if !b.HasFile() {
		return renga.Errorf(renga.Invalid, "Only data were replaced then; that is no backup.")
	}
	return renga.Errorf(renga.Invalid, "The backup of %s did not complete: it is %s.", b.AddOnName, b.State)
}

func (s *Service) newBackup(a renga.AddOn, schedule string, by renga.AccountID) renga.Backup {
	return renga.Backup{
		ID: renga.BackupID(s.NewID()), App: a.App, AddOn: a.ID, AddOnName: a.Name, Service: a.Service, Plan: a.Plan,
		Version: a.Options["version"], Schedule: schedule, State: renga.BackupPending, By: by, CreatedAt: s.Now().UTC(),
	}
}

func (s *Service) create(ctx context.Context, b renga.Backup) (renga.Backup, error) {
	b, err := s.Store.CreateBackup(ctx, b)
	if err == nil {
		s.look()
	}
	return b, err
}

// errCanceled is why a backup ends that somebody has canceled.
var errCanceled = errors.New("it was canceled")

// Cancel ends a backup or a restore that is not over. A restore leaves what its
// service leaves of one that fails.
func (s *Service) Cancel(ctx context.Context, b renga.Backup) error {
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
		if b.Over() {
			return renga.Errorf(renga.Invalid, "It has ended already: it is %s.", b.State)
		}
		b.Cancel = true
		if b.State == renga.BackupPending {
			b.State, b.FinishedAt = renga.BackupCanceled, s.Now().UTC()
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if end := s.running[b.ID]; end != nil {
		end(errCanceled)
	}
	return nil
}

// Delete removes a backup with its file, or the record of a restore.
func (s *Service) Delete(ctx context.Context, b renga.Backup) error {
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
		if !b.Over() {
			return renga.Errorf(renga.Invalid, "It is still under way; cancel it first.")
		}
		if b.Proof.State == renga.ProofRunning {
			return renga.Errorf(renga.Invalid, "The backup is being proven; try again in a moment.")
		}
		b.Removing = true
		return nil
	})
	if err != nil {
		return err
	}
	return s.remove(ctx, b)
}

// remove removes what is to be removed. It may be repeated.
func (s *Service) remove(ctx context.Context, b renga.Backup) error {
	if b.HasFile() {
		if err := s.Place.Remove(ctx, fileName(b)); err != nil {
			return err
		}
	}
	err := s.Store.RemoveBackup(ctx, b.App, b.ID)
	if renga.KindOf(err) == renga.NotFound { // it was removed meanwhile
		return nil
	}
	return err
}

// downloadLife is how long a URL is good for.
const downloadLife = 10 * time.Minute

// Offer makes a URL of a backup good, once, and the one before bad. It returns the id
// that the URL has in it, and until when it may be used.
func (s *Service) Offer(ctx context.Context, b renga.Backup) (renga.BackupDownload, error) {
	d := renga.BackupDownload{ID: s.NewID(), Until: s.Now().Add(downloadLife).UTC()}
	err := s.Store.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
		if !b.Restorable() {
			return notWhole(*b)
		}
		b.Download = d
		return nil
	})
	return d, err
}

// Use takes a URL: from then on it is bad. It is NotFound unless it was good.
func (s *Service) Use(ctx context.Context, app renga.AppID, id renga.BackupID, download string) (renga.Backup, error) {
	var got renga.Backup
	err := s.Store.EditBackup(ctx, app, id, func(b *renga.Backup) error {
		if download == "" || b.Download.ID != download || !s.Now().Before(b.Download.Until) || !b.Restorable() {
			return renga.Errorf(renga.NotFound, "This URL of a backup was used or has expired; ask for another one.")
		}
		b.Download = renga.BackupDownload{}
		got = *b
		return nil
	})
	return got, err
}
