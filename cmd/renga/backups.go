package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga/addons"
	"renga/addons/backups"
	"renga/addons/backups/bucket"
)

func (b base) newBackups(addOns *addons.Service) (*backups.Service, error) {
	place, err := b.newPlace()
	if err != nil {
		return nil, err
	}
	return backups.New(backups.Parts{
		Store:     b.db,
		Schedules: b.db,
		Keep:      b.settings.KeepBackups,
		Prove:     b.settings.ProveBackups,
		AddOns:    b.db,
		Archiver:  addOns,
		Scratch:   addOns,
		Keys:      b.keys,
		Place:     place,
		Logs:      b.logs,
		Log:       b.log,
		Now:       time.Now,
		NewID:     uuid.NewString,
		MaxBytes:  b.settings.MaxBackupSize,
	}), nil
}

// newPlace is where backups are kept.
func (b base) newPlace() (backups.Place, error) {
	s := b.settings
	if !s.hasBucket() {
		return backups.Folder{Dir: cmp.Or(s.Backups, s.path("backups")), MinFree: s.MinFreeDisk}, nil
	}
	o := s.bucketOptions()
	o.Folder, o.Log = b.data.platform.ID, b.log
	return bucket.New(o)
}

// openBackup opens the file of a backup with the data directory's keys, and needs
// nothing else: it prints the dump, as pg_restore and its like read it.
func openBackup(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.parseSettings("backups:open", args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("usage: renga backups:open [settings] FILE|s3://BUCKET/OBJECT >DUMP")
	}
	if _, err := operator(s); err != nil { // a mistyped directory must not be made
		return err
	}
	keys, err := openKeys(s, false)
	if err != nil {
		return err
	}
	file, err := openFile(ctx, s, rest[0])
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	h, dump, err := backups.Open(keys, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "%s, a %s:%s %s of %s\n", h.Name, h.Service, h.Plan, h.Version, h.At.Format(time.RFC3339))
	if _, err := io.Copy(p.out, dump); err != nil {
		return fmt.Errorf("%w; what was printed is not whole", err)
	}
	return nil
}

// openFile opens the file of a backup on this machine, or in a bucket.
func openFile(ctx context.Context, s Settings, name string) (io.ReadCloser, error) {
	if !strings.HasPrefix(name, bucket.Scheme) {
		return os.Open(name)
	}
	o := s.bucketOptions()
	o.URL = name
	in, object, err := bucket.Object(o)
	if err != nil {
		return nil, err
	}
	return in.Open(ctx, object)
}
