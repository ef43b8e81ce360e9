package builds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
)

const (
	// uploadLife is how long an archive is kept that was sent: longer than its URLs are good.
	uploadLife = 2 * time.Hour
	// maxUploads bounds how many there are at a time.
	maxUploads = 100
	sweepEvery = 5 * time.Minute
	// arrivingPrefix begins the names of what is not all here.
	arrivingPrefix = "new-"
)

// Uploads keep archives that were sent to be built, for two hours.
type Uploads struct {
	// Dir has nothing else in it.
	Dir string
	// MaxBytes bounds one, and MaxAll all of them.
	MaxBytes, MaxAll int64
	CheckSpace       func() error
	Now              func() time.Time

	mu       sync.Mutex
	reserved int64 // for those that come in now
}

// Put keeps an archive; one of that id that is there is replaced. It is renga.TooMany if
// there are too many.
func (u *Uploads) Put(id string, from io.Reader) (err error) {
	file, err := u.file(id)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(u.Dir, 0o700), u.CheckSpace()); err != nil {
		return err
	}
	most, err := u.reserve()
	if err != nil {
		return err
	}
	defer u.unreserve(most)
	f, err := os.CreateTemp(u.Dir, arrivingPrefix)
	if err != nil {
		return fmt.Errorf("keep a source: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	n, err := io.Copy(f, io.LimitReader(from, most+1))
	err = errors.Join(err, f.Close())
	switch {
	case n > u.MaxBytes:
		return renga.Errorf(renga.Invalid, "The source has more than %d MB; leave out what is not needed for the build.", u.MaxBytes>>20)
	case n > most:
		return errManyUploads
	case err != nil:
		return renga.Errorf(renga.Invalid, "The source did not come whole; send it again: %w", err)
	}
	return os.Rename(f.Name(), file)
}

var errManyUploads = renga.Errorf(renga.TooMany, "Too many sources wait to be built; try again later.")

// reserve gives how many bytes one more may have, and keeps them from others until they are
// there or unreserved.
func (u *Uploads) reserve() (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, err := os.ReadDir(u.Dir)
	if err != nil {
		return 0, fmt.Errorf("look at sources: %w", err)
	}
	left := u.MaxAll - u.reserved
	for _, e := range all {
		if info, err := e.Info(); err == nil && !strings.HasPrefix(e.Name(), arrivingPrefix) {
			left -= info.Size()
		}
	}
	if len(all) >= maxUploads || left <= 0 {
		return 0, errManyUploads
	}
	most := min(left, u.MaxBytes)
	u.reserved += most
	return most, nil
}

func (u *Uploads) unreserve(bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reserved -= bytes
}

func (u *Uploads) file(id string) (string, error) {
	if uuid.Validate(id) != nil || len(id) != 36 {
		return "", renga.Errorf(renga.NotFound, "There is no such source.")
	}
	return filepath.Join(u.Dir, id), nil
}

// Open opens an archive; renga.NotFound if it was never sent, or too long ago.
func (u *Uploads) Open(id string) (io.ReadCloser, error) {
	file, err := u.file(id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, renga.Errorf(renga.NotFound, "There is no such source.")
	}
	return f, err
}

// Run removes what is kept for long enough, until ctx ends.
func (u *Uploads) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		u.sweep()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep removes what is old. What cannot be removed is tried again.
func (u *Uploads) sweep() {
	all, err := os.ReadDir(u.Dir)
	if err != nil {
		return
	}
	for _, e := range all {
		if info, err := e.Info(); err == nil && u.Now().Sub(info.ModTime()) > uploadLife {
			_ = os.Remove(filepath.Join(u.Dir, e.Name()))
		}
	}
}
