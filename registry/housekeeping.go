package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"

	"renga"
	"renga/durable"
)

const (
	recoverEvery = time.Minute
	purgeEvery   = time.Hour
	// uploadAge is how long an upload may lie untouched.
	uploadAge = 24 * time.Hour
)

// Run settles intents and removes abandoned uploads until ctx ends; it then
// returns nil.
func (r *Registry) Run(ctx context.Context) error {
	recovery, purge := time.NewTicker(recoverEvery), time.NewTicker(purgeEvery)
	defer recovery.Stop()
	defer purge.Stop()
	r.purgeUploads(time.Now().Add(-uploadAge))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-recovery.C:
			if err := r.Recover(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("recovery incomplete", "err", err)
			}
		case now := <-purge.C:
			r.purgeUploads(now.Add(-uploadAge))
		}
	}
}

// purgeUploads removes uploads that nothing was added to since before, and
// intents of which only a part was written. Distribution's own purge uses a
// file in the upload, which a power loss may have emptied; this one uses the
// time of the last byte.
func (r *Registry) purgeUploads(before time.Time) {
	uploads, err := filepath.Glob(r.driver.file(repositoryDir("*/*/_uploads/*")))
	if err != nil {
		r.log.Error("uploads not purged", "err", err)
		return
	}
	partial, err := durable.Partial(r.o.IntentDir)
	if err != nil {
		r.log.Error("partial intents not purged", "err", err)
	}
	for _, path := range append(uploads, partial...) {
		if !lastTouched(path).Before(before) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			r.log.Warn("upload not purged", "err", err)
		}
	}
}

// lastTouched is when something was last written to an upload.
func lastTouched(path string) time.Time {
	last := time.Time{}
	for _, p := range []string{path, filepath.Join(path, "data")} {
		if info, err := os.Stat(p); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// RemoveApp removes all repositories of an app, its releases included, and the
// intents of its unfinished pushes. It waits for pushes to the app that are
// being committed, so the caller must hold no lock that [Releaser].Push needs.
// A second call finishes what a crash left; an app that has nothing is no
// error. Blobs stay until they are swept.
func (r *Registry) RemoveApp(ctx context.Context, name string) error {
	if err := renga.ValidateAppName(name); err != nil {
		return err
	}
	defer r.apps.Lock(name)()
	if err := ctx.Err(); err != nil {
		return err
	}
	left, err := r.intents.list()
	for _, it := range left {
		if strings.HasPrefix(it.Repository, name+"/") {
			err = errors.Join(err, r.intents.drop(it))
		}
	}
	if err != nil {
		return fmt.Errorf("remove pushes of app %s: %w", name, err)
	}
	var gone storagedriver.PathNotFoundError
	err = r.driver.Delete(ctx, repositoryDir(name))
	if err != nil && !errors.As(err, &gone) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove repositories of app %s: %w", name, err)
	}
	return nil
}
