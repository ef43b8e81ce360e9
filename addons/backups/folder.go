package backups

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"renga"
	"renga/durable"
)

// Folder is a place on this machine's disk. Only its owner may read what is in it.
type Folder struct {
	Dir string
	// MinFree is how much of the disk is to stay free, in bytes.
	MinFree int64
}

// underWay ends the names of files that are not whole.
const underWay = ".partial"

// spacePace is after how many bytes it is looked again whether the disk has room.
const spacePace = 16 << 20

// Create implements [Place].
func (f Folder) Create(_ context.Context, name string) (File, error) {
	path := filepath.Join(f.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, full(err)
	}
	if err := f.checkSpace(0); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path+underWay, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, full(err)
	}
	return &folderFile{File: file, in: f, path: path}, nil
}

// checkSpace tells whether so many bytes more leave enough of the disk free.
func (f Folder) checkSpace(bytes int64) error {
	free, err := durable.FreeBytes(f.Dir)
	if err == nil && free-bytes < f.MinFree {
		err = renga.Errorf(renga.NoSpace, "The disk of the backups is full, or nearly: %d MB are free below %s. Make room, or "+
			"delete backups.", free>>20, f.Dir)
	}
	return err
}

// full gives a full disk its kind.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return renga.Errorf(renga.NoSpace, "The disk of the backups is full. Make room, or delete backups. (%w)", err)
	}
	return err
}

// Open implements [Place].
func (f Folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := os.Open(filepath.Join(f.Dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, gone(err)
	}
	return file, err
}

func gone(err error) error {
	return renga.Errorf(renga.NotFound, "The file of this backup is gone; use another backup. (%w)", err)
}

// Remove implements [Place]. The folder of an add-on goes with its last file.
func (f Folder) Remove(_ context.Context, name string) error {
	path := filepath.Join(f.Dir, filepath.FromSlash(name))
	for _, one := range []string{path, path + underWay} {
		if err := os.Remove(one); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_ = os.Remove(filepath.Dir(path)) // others may be in it
	return nil
}

// Sweep implements [Place].
func (f Folder) Sweep(context.Context) error {
	left, err := filepath.Glob(filepath.Join(f.Dir, "*", "*"+underWay))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
		_ = os.Remove(filepath.Dir(path)) // others may be in it
	}
	return err
}

// folderFile is one that is being written.
type folderFile struct {
	*os.File
	in    Folder
	path  string
	since int64 // bytes since the last look at the disk
}

// Write leaves the disk some room.
func (f *folderFile) Write(p []byte) (int, error) {
	if f.since += int64(len(p)); f.since >= spacePace {
		f.since = 0
		if err := f.in.checkSpace(int64(len(p))); err != nil {
			return 0, err
		}
	}
	n, err := f.File.Write(p)
	return n, full(err)
}

// Commit implements [File].
func (f *folderFile) Commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		f.Abort()
		return fmt.Errorf("keep a backup: %w", full(err))
	}
	return errors.Join(durable.SyncDir(filepath.Dir(f.path)), durable.SyncDir(f.in.Dir))
}

// Abort implements [File].
func (f *folderFile) Abort() {
	_ = f.Close() // it may be closed already
	_ = os.Remove(f.Name())
	_ = os.Remove(filepath.Dir(f.path)) // others may be in it
}
