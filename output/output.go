// Package output keeps what release commands print: one file per release,
// bounded in size, that can be followed while it is written and read for as
// long as it is kept.
//
// A recording is never resumed. After a crash it begins anew, for the engine
// gives all of the output again; so a file is whole or will be.
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
	// MaxBytes bounds one release's output. Beyond it half of the output is cut
	// off at the front. 0 means DefaultMaxBytes.
	MaxBytes int64
	// Keep is how many outputs of an app are kept, of its newest releases. 0
	// means DefaultKeep.
	Keep int
}

// Outputs keeps the outputs of all apps. Its methods may be called at once from
// several goroutines.
type Outputs struct {
	dir  string
	max  int64
	keep int

	mu   sync.Mutex
	open map[string]*recording // being written, by path
}

// New makes Outputs. It does no I/O.
func New(o Options) *Outputs {
	s := &Outputs{dir: o.Dir, max: o.MaxBytes, keep: o.Keep, open: map[string]*recording{}}
	if s.max <= 0 {
		s.max = DefaultMaxBytes
	}
	if s.keep <= 0 {
		s.keep = DefaultKeep
	}
	return s
}

func (s *Outputs) appDir(app renga.AppID) string {
	return filepath.Join(s.dir, filepath.Base(string(app)))
}

func (s *Outputs) path(app renga.AppID, version int) string {
	return filepath.Join(s.appDir(app), strconv.Itoa(version)+suffix)
}

const suffix = ".txt"

// Record begins the output of a release command anew. What is written can be
// followed at once; Close syncs it.
func (s *Outputs) Record(app renga.AppID, version int) (io.WriteCloser, error) {
	if err := os.MkdirAll(s.appDir(app), 0o700); err != nil {
		return nil, fmt.Errorf("record output of v%d: %w", version, err)
	}
	if err := s.trim(app, version); err != nil {
		return nil, err
	}
	path := s.path(app, version)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record output of v%d: %w", version, err)
	}
	r := &recording{outputs: s, path: path, file: f, grown: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[path] = r
	return r, nil
}

// trim removes the oldest outputs of an app to make room for that of version.
func (s *Outputs) trim(app renga.AppID, version int) error {
	entries, err := os.ReadDir(s.appDir(app))
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
func (s *Outputs) Forget(app renga.AppID) error {
	if err := os.RemoveAll(s.appDir(app)); err != nil {
		return fmt.Errorf("remove outputs of app %s: %w", app, err)
	}
	return nil
}

// recording is one output that is being written.
type recording struct {
	outputs *Outputs
	path    string

	mu    sync.Mutex
	file  *os.File
	base  int64 // how much was cut from the front
	size  int64 // of the file
	ended bool
	grown chan struct{} // closed and replaced when there is more, or an end
}

// Write appends, and cuts the front off when it gets too long.
func (r *recording) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.file.WriteAt(p, r.size)
	r.size += int64(n)
	if err == nil && r.size > r.outputs.max {
		err = r.cut(r.outputs.max / 2)
	}
	r.notify()
	if err != nil {
		return n, fmt.Errorf("write output: %w", err)
	}
	return n, nil
}

// cut keeps the last bytes of the file, from the beginning of a line on.
func (r *recording) cut(left int64) error {
	rest := make([]byte, left)
	if _, err := r.file.ReadAt(rest, r.size-left); err != nil {
		return err
	}
	if i := slices.Index(rest, '\n'); i >= 0 {
		rest = rest[i+1:]
	} else if i := slices.IndexFunc(rest[:min(len(rest), utf8.UTFMax)], utf8.RuneStart); i > 0 {
		rest = rest[i:] // not within a character
	}
	if _, err := r.file.WriteAt(rest, 0); err != nil {
		return err
	}
	r.base += r.size - int64(len(rest))
	r.size = int64(len(rest))
	return r.file.Truncate(r.size)
}

func (r *recording) notify() {
	close(r.grown)
	r.grown = make(chan struct{})
}

// Close ends the output, which is on the disk once it returns.
func (r *recording) Close() error {
	r.outputs.mu.Lock()
	if r.outputs.open[r.path] == r {
		delete(r.outputs.open, r.path)
	}
	r.outputs.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.ended = true
	r.notify()
	if err := errors.Join(r.file.Sync(), r.file.Close()); err != nil {
		return fmt.Errorf("close output: %w", err)
	}
	return nil
}
