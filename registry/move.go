package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"renga"
	"renga/durable"
)

// How an app's repositories are renamed. They are in one directory, so that is
// one rename on disk; but the store must follow, and may be away. So
//
//  1. a file says what is going to happen,
//  2. the new name is made a symbolic link to the old one: whoever reads or
//     writes finds the repositories under both,
//  3. the store changes the name,
//  4. the directory takes the link's place.
//
// A crash or an outage leaves one of these, and each can be told from the
// others: see EndMove and UndoMove.

// moveRecord is the file of step 1.
type moveRecord struct {
	App  renga.AppID `json:"app"`
	From string      `json:"from"`
	To   string      `json:"to"`
}

// movesDir is where the files are, named by the apps' ids.
func (r *Registry) movesDir() string { return filepath.Join(r.o.IntentDir, "renames") }

func (r *Registry) moveFile(m renga.Rename) string {
	return filepath.Join(r.movesDir(), string(m.App)+intentSuffix)
}

// Hold keeps everybody away from the repositories of two apps' names while do
// runs. It waits until pushes to them that are being committed are done.
func (r *Registry) Hold(ctx context.Context, a, b string, do func() error) error {
	for _, name := range []string{a, b} {
		if err := renga.ValidateAppName(name); err != nil {
			return err
		}
	}
	defer r.apps.Lock(min(a, b))()
	if a != b {
		defer r.apps.Lock(max(a, b))()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return do()
}

// BeginMove does steps 1 and 2. It is renga.Conflict if there are releases
// under the new name. Call it, EndMove and UndoMove inside Hold.
func (r *Registry) BeginMove(_ context.Context, m renga.Rename) error {
	if err := r.removeLeftovers(m.To); err != nil {
		return err
	}
	raw, err := json.Marshal(moveRecord(m))
	if err == nil {
		err = os.MkdirAll(r.movesDir(), 0o700)
	}
	if err == nil {
		err = writeWhole(r.moveFile(m), raw)
	}
	if err != nil {
		return r.diskError(fmt.Errorf("begin rename of %s: %w", m.From, err))
	}
	r.renames.note(m)
	if err := r.linkMove(m); err != nil {
		return r.diskError(fmt.Errorf("begin rename of %s: %w", m.From,
			errors.Join(err, r.UndoMove(context.Background(), m))))
	}
	return nil
}

// removeLeftovers removes what failed first pushes have left under a name.
func (r *Registry) removeLeftovers(name string) error {
	dir := r.driver.file(repositoryDir(name))
	_, err := os.Lstat(filepath.Join(dir, string(releasesPart)))
	switch {
	case err == nil:
		return renga.Errorf(renga.Conflict, "Name %s is already taken: the registry holds releases under it. Choose another.",
			name)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look for repositories of app %s: %w", name, err)
	}
	defer r.gate.use.forget(name)
	if err := removeTree(dir); err != nil {
		return fmt.Errorf("remove repositories of app %s: %w", name, err)
	}
	return nil
}

func (r *Registry) linkMove(m renga.Rename) error {
	to := r.driver.file(repositoryDir(m.To))
	if err := os.Symlink(m.From, to); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}

// EndMove does step 4. Calling it again does nothing.
func (r *Registry) EndMove(_ context.Context, m renga.Rename) error {
	r.renames.note(m)
	defer func() {
		r.renames.note(m)
		r.gate.use.forget(m.From)
		r.gate.use.forget(m.To)
	}()
	from, to := r.driver.file(repositoryDir(m.From)), r.driver.file(repositoryDir(m.To))
	if err := removeLink(to); err != nil {
		return fmt.Errorf("end rename of %s: %w", m.From, err)
	}
	_, err := os.Lstat(to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Rename(from, to); errors.Is(err, fs.ErrNotExist) {
			err = nil // it has no repositories
		}
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(to))
	}
	if err == nil {
		err = r.renameIntents(m)
	}
	if err != nil {
		return fmt.Errorf("end rename of %s: %w", m.From, err)
	}
	return r.dropMove(m)
}

// UndoMove undoes steps 1 and 2.
func (r *Registry) UndoMove(_ context.Context, m renga.Rename) error {
	to := r.driver.file(repositoryDir(m.To))
	if err := errors.Join(removeLink(to), durable.SyncDir(filepath.Dir(to))); err != nil {
		return fmt.Errorf("undo rename of %s: %w", m.From, err)
	}
	return r.dropMove(m)
}

// renameCount counts renames: a collection must not take one app's repositories
// for another's.
type renameCount struct {
	mu     sync.Mutex
	sum    int64
	byName map[string]int64
}

// note counts a step of a rename.
func (c *renameCount) note(m renga.Rename) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]int64{}
	}
	c.sum++
	c.byName[m.From]++
	c.byName[m.To]++
}

func (c *renameCount) all() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum
}

// of counts those from and to a name.
func (c *renameCount) of(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[name]
}

// Moves lists the renames that were begun and not ended.
func (r *Registry) Moves(context.Context) ([]renga.Rename, error) {
	files, err := filepath.Glob(filepath.Join(r.movesDir(), "*"+intentSuffix))
	if err != nil {
		return nil, fmt.Errorf("list renames: %w", err)
	}
	var all []renga.Rename
	var bad error
	for _, file := range files {
		m, err := readMove(file)
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("read rename %s: %w", filepath.Base(file), err))
			continue
		}
		all = append(all, m)
	}
	return all, bad
}

func readMove(file string) (renga.Rename, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return renga.Rename{}, err
	}
	var m moveRecord
	if err := json.Unmarshal(raw, &m); err != nil {
		return renga.Rename{}, err
	}
	return renga.Rename(m), errors.Join(renga.ValidateAppName(m.From), renga.ValidateAppName(m.To))
}

// dropMove is the end of a rename.
func (r *Registry) dropMove(m renga.Rename) error {
	err := os.Remove(r.moveFile(m))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end rename of %s: %w", m.From, err)
	}
	return durable.SyncDir(r.movesDir())
}

// renameIntents moves pushes that wait for their release to the new name.
func (r *Registry) renameIntents(m renga.Rename) error {
	left, err := r.intents.list()
	for _, it := range left {
		if part, ok := strings.CutPrefix(it.Repository, m.From+"/"); ok {
			it.Repository = m.To + "/" + part
			err = errors.Join(err, r.intents.write(it))
		}
	}
	return err
}

// removeLink removes a symbolic link, and nothing that is none.
func removeLink(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// locate finds an app's repositories for a read, under whichever name a rename
// has put them, and keeps them from being renamed meanwhile. The dyno manager
// may still use the old name.
func (r *Registry) locate(ctx context.Context, rq request) (request, func()) {
	for {
		unlock := r.apps.RLock(rq.call.app)
		if _, err := os.Stat(r.driver.file(repositoryDir(rq.call.app) + "/" + string(releasesPart))); err == nil {
			return rq, unlock
		}
		app, err := r.dir.AppByRepository(ctx, rq.call.app)
		if err != nil || app.Name == rq.call.app {
			return rq, unlock // and let distribution say what is missing
		}
		unlock()
		rq.call.app = app.Name
	}
}
