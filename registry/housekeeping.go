package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"renga"
	"renga/durable"
)

const (
	// recoverEvery is how long a push waits for its release once what kept it from
	// that is over. Without such pushes it is how often an empty directory is read.
	recoverEvery = 10 * time.Second
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
		r.gate.use.removed(strings.TrimPrefix(path, r.driver.root))
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
	defer r.gate.use.forget(name)
	if err := removeTree(r.driver.file(repositoryDir(name))); err != nil {
		return fmt.Errorf("remove repositories of app %s: %w", name, err)
	}
	return nil
}

// removeTree removes a directory with all that is in it, also what uploads that are
// under way write into it meanwhile: they are refused further requests, so that soon
// there are none.
func removeTree(dir string) error {
	const tries = 1000 // more than an upload has files
	for i := 1; ; i++ {
		err := os.RemoveAll(dir)
		if i == tries || !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
}
