package wiretest

import (
	"context"
	"io"
	"strings"

	"github.com/google/uuid"

	"renga"
)

// FakeBackups stands in for the room of backups: what is asked for is recorded, and
// stays pending until [Fixture.CompleteBackup].
type FakeBackups struct{ *Fixture }

// Dump is what all backups have in them.
const Dump = "PGDMP " + Marker

// Check has backups of everything.
func (f FakeBackups) Check(renga.AddOn) error { return nil }

// Capture records one.
func (f FakeBackups) Capture(ctx context.Context, a renga.AddOn, schedule string, by renga.AccountID) (renga.Backup, error) {
	return f.DB.CreateBackup(ctx, newBackup(a, schedule, by))
}

func newBackup(a renga.AddOn, schedule string, by renga.AccountID) renga.Backup {
	return renga.Backup{
		ID: renga.BackupID(uuid.NewString()), App: a.App, AddOn: a.ID, AddOnName: a.Name, Service: a.Service, Plan: a.Plan,
		Schedule: schedule, State: renga.BackupPending, By: by, CreatedAt: Born,
	}
}

// Restore records one.
func (f FakeBackups) Restore(ctx context.Context, b renga.Backup, to renga.AddOn, by renga.AccountID) (renga.Backup, error) {
	if !b.Restorable() || b.Service != to.Service {
		return renga.Backup{}, renga.Errorf(renga.Invalid, "That cannot be restored.")
	}
	r := newBackup(to, "", by)
	r.Of, r.OfName = b.ID, b.AddOnName
	return f.DB.CreateBackup(ctx, r)
}

// Copy records one.
func (f FakeBackups) Copy(ctx context.Context, from, to renga.AddOn, by renga.AccountID) (renga.Backup, error) {
	if from.ID == to.ID {
		return renga.Backup{}, renga.Errorf(renga.Invalid, "That cannot be copied.")
	}
	c := newBackup(to, "", by)
	c.From, c.OfName = from.ID, from.Name
	return f.DB.CreateBackup(ctx, c)
}

// Cancel records it.
func (f FakeBackups) Cancel(ctx context.Context, b renga.Backup) error {
	return f.DB.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
		b.State, b.FinishedAt = renga.BackupCanceled, Born
		return nil
	})
}

// Delete removes the record.
func (f FakeBackups) Delete(ctx context.Context, b renga.Backup) error {
	return f.DB.RemoveBackup(ctx, b.App, b.ID)
}

// Offer makes a URL good.
func (f FakeBackups) Offer(ctx context.Context, b renga.Backup) (renga.BackupDownload, error) {
	d := renga.BackupDownload{ID: uuid.NewString(), Until: Born}
	return d, f.DB.EditBackup(ctx, b.App, b.ID, func(b *renga.Backup) error {
		if !b.Restorable() {
			return renga.Errorf(renga.Invalid, "That is no whole backup.")
		}
		b.Download = d
		return nil
	})
}

// Use takes a URL.
func (f FakeBackups) Use(ctx context.Context, app renga.AppID, id renga.BackupID, download string) (renga.Backup, error) {
	var got renga.Backup
	err := f.DB.EditBackup(ctx, app, id, func(b *renga.Backup) error {
		if b.Download.ID != download {
			return renga.Errorf(renga.NotFound, "This URL of a backup was used.")
		}
		b.Download = renga.BackupDownload{}
		got = *b
		return nil
	})
	return got, err
}

// Reader reads a dump.
func (f FakeBackups) Reader(context.Context, renga.Backup) (io.Reader, func(), error) {
	return strings.NewReader(Dump), func() {}, nil
}

// CompleteBackup captures an add-on's data, and completes it.
func (r *Fixture) CompleteBackup(ctx context.Context, id renga.AddOnID) (renga.Backup, error) {
	a, err := r.DB.AddOn(ctx, id)
	if err != nil {
		return renga.Backup{}, err
	}
	b, err := r.DB.CreateBackup(ctx, newBackup(a, "", a.By))
	if err != nil {
		return b, err
	}
	return b, r.DB.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
		x.State, x.StartedAt, x.FinishedAt = renga.BackupCompleted, Born, Born
		x.Bytes = int64(len(Dump))
		b = *x
		return nil
	})
}
