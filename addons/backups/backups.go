// Package backups copies the data of add-ons out and in.
//
// What is asked for is written into the store first, as a [renga.Backup]; a loop
// then does it: a backup's data go as a stream from the service through a seal into
// a file, a restore's the other way, and nothing is held in memory. A file has its
// name, and a backup is completed, only once the service's dump has ended without an
// error. What a crash cut short has failed, and is told so at the next start, before
// anything else is begun.
package backups

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"renga"
)

// Store keeps the records.
type Store interface {
	// CreateBackup gives it its number. It is Conflict while another one of its add-on
	// is not over.
	CreateBackup(ctx context.Context, b renga.Backup) (renga.Backup, error)
	// EditBackup lets edit change it in place, in one transaction.
	EditBackup(ctx context.Context, app renga.AppID, id renga.BackupID, edit func(*renga.Backup) error) error
	RemoveBackup(ctx context.Context, app renga.AppID, id renga.BackupID) error
	// BackupsOf are the backups and restores of an app, the newest first.
	BackupsOf(ctx context.Context, app renga.AppID) ([]renga.Backup, error)
	Backups(ctx context.Context) ([]renga.Backup, error)
}

// Schedules keeps when backups are made.
type Schedules interface {
	BackupSchedules(ctx context.Context) ([]renga.BackupSchedule, error)
	// EditBackupSchedule lets edit change one in place, in one transaction.
	EditBackupSchedule(ctx context.Context, id string, edit func(*renga.BackupSchedule) error) error
	RemoveBackupSchedule(ctx context.Context, id string) error
}

// AddOns knows the add-ons. What is not there is NotFound.
type AddOns interface {
	AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error)
}

// Archiver copies the data of add-ons.
type Archiver interface {
	// CheckArchive is an error if the data cannot be copied.
	CheckArchive(a renga.AddOn) error
	// Dump writes them. What was written is whole only if the error is nil.
	Dump(ctx context.Context, id renga.AddOnID, to io.Writer) error
	// Restore replaces them by those of a dump.
	Restore(ctx context.Context, id renga.AddOnID, from io.Reader) error
	// DataBytes is what they take; 0 where nobody knows.
	DataBytes(ctx context.Context, id renga.AddOnID) (int64, error)
}

// Scratch tries dumps out.
type Scratch interface {
	// Try restores a dump into a scratch add-on like another, and asks whether it
	// answers.
	Try(ctx context.Context, like renga.AddOn, scratch renga.AddOnID, from io.Reader) error
	// Discard removes that. What is gone is no error.
	Discard(ctx context.Context, like renga.AddOn, scratch renga.AddOnID) error
}

// Keys seal and open streams, bound to what is associated.
type Keys interface {
	SealStream(to io.Writer, associated []byte) (io.WriteCloser, error)
	OpenStream(from io.Reader, associated []byte) (io.Reader, error)
}

// Place is where files are kept.
type Place interface {
	// Create begins a file, which is there under its name once it is committed.
	Create(ctx context.Context, name string) (File, error)
	// Open reads one; NotFound when there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove removes one, and what was begun under its name. What is gone is no error.
	Remove(ctx context.Context, name string) error
	// Sweep removes what was begun and never committed. Nothing may be under way.
	Sweep(ctx context.Context) error
}

// File is one that is being written. After either of its methods it is done with.
type File interface {
	io.Writer
	// Commit puts it in its place, whole and for ever.
	Commit() error
	// Abort drops it.
	Abort()
}

// Logs are the apps' logs.
type Logs interface {
	Line(app renga.AppID, source, dyno, text string)
}

// Parts are what a Service works with.
type Parts struct {
	Store     Store
	Schedules Schedules
	AddOns    AddOns
	Archiver  Archiver
	Scratch   Scratch
	Keys      Keys
	Place     Place
	Logs      Logs
	Log       *slog.Logger
	Now       func() time.Time
	NewID     func() string // a new UUID
	Keep      Retention
	Prove     bool // whether each backup is restored for a try
	// MaxBytes bounds one dump; 0 for no bound.
	MaxBytes int64
}

// Service makes, restores and removes backups. Its methods may be called at once
// from several goroutines.
type Service struct {
	Parts
	wake    chan struct{} // something may be to be done
	proving sync.Mutex    // one proof at a time

	mu      sync.Mutex
	running map[renga.BackupID]context.CancelCauseFunc
	readers int // who fetches a backup now
}

// New makes a Service. Nothing is started: Run does what is asked for.
func New(p Parts) *Service {
	return &Service{Parts: p, wake: make(chan struct{}, 1), running: map[renga.BackupID]context.CancelCauseFunc{}}
}

// look has the loop look at what there is to do.
func (s *Service) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

// say writes into the log of the app that an add-on was made for.
func (s *Service) say(b renga.Backup, text string) {
	s.Logs.Line(b.App, renga.SourceHeroku, b.Service, text)
}
