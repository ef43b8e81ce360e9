package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"renga"
)

// Names in the directory. An app's repository is <id>.git: a rename leaves it alone.
const (
	socketName = "hook"
	hooksName  = "hooks"
	homeName   = "home"
	suffix     = ".git"
	removed    = ".removed" // after that of a repository that goes
	// noneName is a repository that stays empty. It is shown where an app has none yet.
	noneName = "none"
)

// repositories is the directory of all repositories.
type repositories struct{ dir, hook string }

func (s repositories) hooks() string { return filepath.Join(s.dir, hooksName) }
func (s repositories) home() string  { return filepath.Join(s.dir, homeName) }
func (s repositories) none() string  { return filepath.Join(s.dir, noneName) }

// path is where an app's repository is, or will be.
func (s repositories) path(app renga.AppID) string { return filepath.Join(s.dir, string(app)+suffix) }

// prepare makes what all repositories share. HOME is empty: git finds no settings in it.
func (s repositories) prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for _, d := range []string{s.hooks(), s.home()} {
		if err := errors.Join(os.RemoveAll(d), os.Mkdir(d, 0o700)); err != nil {
			return err
		}
	}
	if err := os.Symlink(s.hook, filepath.Join(s.hooks(), HookName)); err != nil {
		return err
	}
	return s.checkHook()
}

// checkHook makes sure that git finds its hook: without one it would take every push, and
// nothing would be built.
func (s repositories) checkHook() error {
	info, err := os.Stat(filepath.Join(s.hooks(), HookName))
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = fmt.Errorf("%s is no program", s.hook)
	}
	if err != nil {
		return fmt.Errorf("git's hook cannot be run: %w", err)
	}
	return nil
}

// there tells whether a repository was made.
func there(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "HEAD"))
	return err == nil
}

// shown is the repository to show of an app; one that is empty if it has none.
func (g *Git) shown(ctx context.Context, app renga.AppID) (string, error) {
	if dir := g.repos.path(app); app != "" && there(dir) {
		return dir, nil
	}
	return g.repos.none(), g.make(ctx, g.repos.none())
}

// make makes a repository if it is not there. Two at once do no harm: git leaves what is
// there.
func (g *Git) make(ctx context.Context, dir string) error {
	if there(dir) {
		return nil
	}
	_, err := g.in(g.repos.dir).output(ctx, 1<<10, "init", "--quiet", "--bare", "--template=", "--object-format=sha1",
		"--initial-branch="+branches[0], dir)
	return err
}

// remove removes an app's repository.
func (s repositories) remove(app renga.AppID) error {
	dir := s.path(app)
	// Under another name first: half a repository is none.
	err := os.Rename(dir, dir+removed)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(os.RemoveAll(dir), os.RemoveAll(dir+removed))
}

// putRight removes the repositories of apps that are gone, and what killed processes left
// in the others. No process may work on them.
func (s repositories) putRight(apps []renga.App) error {
	keep := map[string]bool{}
	for _, a := range apps {
		keep[string(a.ID)+suffix] = true
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		dir := filepath.Join(s.dir, e.Name())
		switch {
		case keep[e.Name()]:
			failed = errors.Join(failed, clean(dir))
		case strings.HasSuffix(e.Name(), suffix), strings.HasSuffix(e.Name(), suffix+removed):
			failed = errors.Join(failed, os.RemoveAll(dir))
		}
	}
	return failed
}

// quarantines are what was pushed and is not taken yet; git leaves one when it is killed.
var quarantines = []string{"objects/incoming-*", "objects/tmp_objdir-*"}

// leftovers are what else it may leave: packs that were not complete, and locks, which would
// stop every later push.
var leftovers = []string{"objects/pack/tmp_*", "objects/pack/*.lock", "objects/pack/.tmp-*", "*.lock", "gc.pid"}

// removeQuarantines removes those of a repository to which nobody pushes.
func removeQuarantines(repository string) {
	for _, pattern := range quarantines {
		found, _ := filepath.Glob(filepath.Join(repository, pattern)) // the pattern is well
		for _, path := range found {
			_ = os.RemoveAll(path) // the next start tries again
		}
	}
}

func clean(repository string) error {
	var failed error
	for _, pattern := range slices.Concat(quarantines, leftovers) {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		failed = errors.Join(failed, err)
		for _, path := range found {
			failed = errors.Join(failed, os.RemoveAll(path))
		}
	}
	err := filepath.WalkDir(filepath.Join(repository, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".lock") {
			err = os.Remove(path)
		}
		return err
	})
	return errors.Join(failed, err)
}

// size is what a repository takes up, in bytes. What goes meanwhile has none.
func size(repository string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(repository, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				sum += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return sum, err
}

// pointHead has clones check out a branch that is there.
func (g *Git) pointHead(ctx context.Context, dir string) error {
	for _, b := range branches {
		ref := "refs/heads/" + b
		if _, err := g.in(dir).output(ctx, 100, "rev-parse", "--verify", "--quiet", ref); err != nil {
			continue
		}
		if at, err := g.in(dir).output(ctx, 1<<10, "symbolic-ref", "HEAD"); err == nil && strings.TrimSpace(at) == ref {
			return nil
		}
		_, err := g.in(dir).output(ctx, 1<<10, "symbolic-ref", "HEAD", ref)
		return err
	}
	return nil
}
