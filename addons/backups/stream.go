package backups

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"renga"
)

// A file is a line of JSON, its header, and the sealed dump, which is bound to that
// line: so no file opens as another's, and whoever has the keys can open one without
// any record.

// Header says whose data a file has.
type Header struct {
	Backup  renga.BackupID `json:"backup"`
	AddOn   renga.AddOnID  `json:"addon"`
	Name    string         `json:"name"`
	App     renga.AppID    `json:"app"`
	Service string         `json:"service"`
	Plan    string         `json:"plan"`
	Version string         `json:"version,omitempty"`
	At      time.Time      `json:"at"`
}

// maxHeader bounds a header's line.
const maxHeader = 4 << 10

func headerOf(b renga.Backup) Header {
	return Header{
		Backup: b.ID, AddOn: b.AddOn, Name: b.AddOnName, App: b.App, Service: b.Service, Plan: b.Plan, Version: b.Version,
		At: b.CreatedAt.UTC(),
	}
}

// fileName is made of what never changes.
func fileName(b renga.Backup) string { return string(b.AddOn) + "/" + string(b.ID) + ".backup" }

// Open opens a file: the header, and the dump. Only io.EOF says that the dump was read
// whole.
func Open(keys Keys, file io.Reader) (Header, io.Reader, error) {
	in := bufio.NewReaderSize(file, maxHeader)
	line, err := in.ReadSlice('\n')
	var h Header
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		return h, nil, renga.Errorf(renga.Invalid, "This is no backup of Renga's: it has no header. (%w)", err)
	}
	line = append([]byte(nil), line...)
	dump, err := keys.OpenStream(in, line)
	return h, dump, err
}

// open opens the file of a backup.
func (s *Service) open(ctx context.Context, b renga.Backup) (io.Reader, func(), error) {
	file, err := s.Place.Open(ctx, fileName(b))
	if err != nil {
		return nil, nil, err
	}
	done := func() { _ = file.Close() } // it was only read
	h, dump, err := Open(s.Keys, file)
	if err == nil && (h.Backup != b.ID || h.AddOn != b.AddOn || h.Service != b.Service) {
		err = errors.New("its header is another backup's")
	}
	if err != nil {
		done()
		return nil, nil, damaged(b, err)
	}
	return dump, done, nil
}

func damaged(b renga.Backup, err error) error {
	return &renga.Error{Kind: renga.Unavailable, Err: err, Message: fmt.Sprintf(
		"The file of this backup of %s cannot be read whole: it was cut off, changed, or sealed with a key that is not here. "+
			"Renga's log says more. Use another backup.", b.AddOnName)}
}

// dump makes the file of a backup.
func (s *Service) dump(ctx context.Context, b renga.Backup) (outcome, error) {
	var o outcome
	var err error
	if o.source, err = s.Archiver.DataBytes(ctx, b.AddOn); err != nil {
		s.Log.Debug("the size of an add-on is not known", "addon", b.AddOnName, "err", err)
	}
	file, err := s.Place.Create(ctx, fileName(b))
	if err != nil {
		return o, err
	}
	o.size, o.kept, err = s.fill(ctx, b, file)
	if err != nil {
		file.Abort()
		return o, err
	}
	return o, file.Commit()
}

// fill writes a file: the size of the dump, and of what is kept of it.
func (s *Service) fill(ctx context.Context, b renga.Backup, file File) (size, kept int64, err error) {
	line, err := json.Marshal(headerOf(b))
	if err != nil {
		return 0, 0, err
	}
	line = append(line, '\n')
	stored := &counter{to: file}
	if _, err := stored.Write(line); err != nil {
		return 0, 0, err
	}
	sealed, err := s.Keys.SealStream(stored, line)
	if err != nil {
		return 0, 0, err
	}
	plain := &counter{to: sealed, most: s.MaxBytes}
	stop := s.showProgress(ctx, b, plain)
	err = s.Archiver.Dump(ctx, b.AddOn, plain)
	stop()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = sealed.Close()
	}
	if plain.fault != nil { // which says more than that the dump broke off
		err = plain.fault
	}
	return plain.n.Load(), stored.n.Load(), err
}

// restore replaces an add-on's data. The file is read to its end before: a service
// would take a part of it.
func (s *Service) restore(ctx context.Context, r renga.Backup) error {
	b, err := s.backupOf(ctx, r)
	if err != nil {
		return err
	}
	if err := s.check(ctx, b); err != nil {
		return err
	}
	dump, done, err := s.open(ctx, b)
	if err != nil {
		return err
	}
	defer done()
	counted := &reader{from: dump}
	stop := s.showProgress(ctx, r, counted)
	defer stop()
	return s.Archiver.Restore(ctx, r.AddOn, counted)
}

// backupOf finds the backup that a restore is of, in whichever app.
func (s *Service) backupOf(ctx context.Context, r renga.Backup) (renga.Backup, error) {
	all, err := s.Store.Backups(ctx)
	if err != nil {
		return renga.Backup{}, err
	}
	for _, b := range all {
		if b.ID == r.Of && b.Restorable() {
			return b, nil
		}
	}
	return renga.Backup{}, renga.Errorf(renga.NotFound, "The backup of %s is gone.", r.OfName)
}

// check reads the file of a backup to its end.
func (s *Service) check(ctx context.Context, b renga.Backup) error {
	dump, done, err := s.open(ctx, b)
	if err != nil {
		return err
	}
	defer done()
	n, err := io.Copy(io.Discard, &reader{from: dump, ended: ctx.Err})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && n != b.Bytes:
		err = fmt.Errorf("it has %d bytes, not %d", n, b.Bytes)
	}
	if err != nil {
		return damaged(b, err)
	}
	return nil
}

// progressPause is between two records of how far one has come.
const progressPause = 2 * time.Second

// showProgress records how far a backup has come, for those who wait, until stop is
// called.
func (s *Service) showProgress(ctx context.Context, b renga.Backup, of interface{ count() int64 }) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(progressPause); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			err := s.Store.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
				x.Bytes = of.count()
				return nil
			})
			if err != nil && ctx.Err() == nil {
				s.Log.Debug("the progress of a backup is not recorded", "backup", b.ID, "err", err)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// counter counts what is written, which is bounded, and remembers its first fault.
type counter struct {
	to    io.Writer
	most  int64
	n     atomic.Int64
	fault error
}

func (c *counter) Write(p []byte) (int, error) {
	if c.fault != nil {
		return 0, c.fault
	}
	if c.most > 0 && c.n.Load()+int64(len(p)) > c.most {
		c.fault = renga.Errorf(renga.Invalid, "The dump is larger than the %d MB that a backup may have; see --max-backup-size.",
			c.most>>20)
		return 0, c.fault
	}
	n, err := c.to.Write(p)
	c.n.Add(int64(n))
	c.fault = err
	return n, err
}

func (c *counter) count() int64 { return c.n.Load() }

// reader counts what is read, until it is ended, if it can be.
type reader struct {
	from  io.Reader
	ended func() error
	n     atomic.Int64
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ended != nil {
		if err := r.ended(); err != nil {
			return 0, err
		}
	}
	n, err := r.from.Read(p)
	r.n.Add(int64(n))
	return n, err
}

func (r *reader) count() int64 { return r.n.Load() }
