// Package output keeps what release commands print: one file per release,
// bounded in size, that can be followed while it is written and read for as
// long as it is kept.
//
// A recording is never resumed. Who was cut off begins it anew, for the engine
// gives all of it again; so a file is whole or will be made whole.
package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"renga"
)

// Defaults of [Options].
const (
	DefaultMaxBytes = 10 << 20
	DefaultKeep     = 50
)

// Options say where the files lie and how much is kept.
type Options struct {
	Dir string
	// MaxBytes bounds one release's output. What is more is cut from the front,
	// half of it at a time. 0 means DefaultMaxBytes.
	MaxBytes int64
	// Keep is for how many releases of an app, the newest, output is kept. 0
	// means DefaultKeep.
	Keep int
}

// Shelf keeps the outputs of all apps. Its methods may be called at once from
// several goroutines.
type Shelf struct {
	dir  string
	max  int64
	keep int

	mu   sync.Mutex
	open map[string]*sheet // being written, by path
}

// New makes a Shelf. It does no I/O.
func New(o Options) *Shelf {
	s := &Shelf{dir: o.Dir, max: o.MaxBytes, keep: o.Keep, open: map[string]*sheet{}}
	if s.max <= 0 {
		s.max = DefaultMaxBytes
	}
	if s.keep <= 0 {
		s.keep = DefaultKeep
	}
	return s
}

func (s *Shelf) place(app renga.AppID) string {
	return filepath.Join(s.dir, filepath.Base(string(app)))
}

func (s *Shelf) path(app renga.AppID, version int) string {
	return filepath.Join(s.place(app), strconv.Itoa(version)+suffix)
}

const suffix = ".txt"

// Record begins the output of a release's command anew. What is written is on
// disk, and can be followed, at once; Close makes it last.
func (s *Shelf) Record(app renga.AppID, version int) (io.WriteCloser, error) {
	if err := os.MkdirAll(s.place(app), 0o700); err != nil {
		return nil, fmt.Errorf("record output of v%d: %w", version, err)
	}
	if err := s.thin(app, version); err != nil {
		return nil, err
	}
	path := s.path(app, version)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record output of v%d: %w", version, err)
	}
	sh := &sheet{shelf: s, path: path, file: f, grown: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[path] = sh
	return sh, nil
}

// thin removes the oldest outputs of an app, so that with one of version there
// are no more than are kept.
func (s *Shelf) thin(app renga.AppID, version int) error {
	entries, err := os.ReadDir(s.place(app))
	if err != nil {
		return fmt.Errorf("look for old outputs: %w", err)
	}
	var others []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), suffix)); err == nil && n != version {
			others = append(others, n)
		}
	}
	slices.Sort(others)
	for _, n := range others[:max(0, len(others)+1-s.keep)] {
		if err := os.Remove(s.path(app, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old output: %w", err)
		}
	}
	return nil
}

// Forget removes all outputs of an app.
func (s *Shelf) Forget(app renga.AppID) error {
	if err := os.RemoveAll(s.place(app)); err != nil {
		return fmt.Errorf("remove outputs of app %s: %w", app, err)
	}
	return nil
}

// sheet is one output that is being written.
type sheet struct {
	shelf *Shelf
	path  string

	mu    sync.Mutex
	file  *os.File
	base  int64 // how much was cut from the front
	size  int64 // of the file
	ended bool
	grown chan struct{} // closed and replaced when there is more, or an end
}

// Write appends, and cuts the front off when it gets too long.
func (sh *sheet) Write(p []byte) (int, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n, err := sh.file.WriteAt(p, sh.size)
	sh.size += int64(n)
	if err == nil && sh.size > sh.shelf.max {
		err = sh.cut(sh.shelf.max / 2)
	}
	sh.tell()
	if err != nil {
		return n, fmt.Errorf("write output: %w", err)
	}
	return n, nil
}

// cut leaves the last bytes of the file, from a line's beginning on.
func (sh *sheet) cut(left int64) error {
	rest := make([]byte, left)
	if _, err := sh.file.ReadAt(rest, sh.size-left); err != nil {
		return err
	}
	if i := slices.Index(rest, '\n'); i >= 0 {
		rest = rest[i+1:]
	} else if i := slices.IndexFunc(rest[:min(len(rest), utf8.UTFMax)], utf8.RuneStart); i > 0 {
		rest = rest[i:] // not within a character
	}
	if _, err := sh.file.WriteAt(rest, 0); err != nil {
		return err
	}
	sh.base += sh.size - int64(len(rest))
	sh.size = int64(len(rest))
	return sh.file.Truncate(sh.size)
}

func (sh *sheet) tell() {
	close(sh.grown)
	sh.grown = make(chan struct{})
}

// Close ends the output and has it on the disk when it returns.
func (sh *sheet) Close() error {
	sh.shelf.mu.Lock()
	if sh.shelf.open[sh.path] == sh {
		delete(sh.shelf.open, sh.path)
	}
	sh.shelf.mu.Unlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ended {
		return nil
	}
	sh.ended = true
	sh.tell()
	if err := errors.Join(sh.file.Sync(), sh.file.Close()); err != nil {
		return fmt.Errorf("close output: %w", err)
	}
	return nil
}
