package logs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"renga"
)

const (
	// segments is how many files a full ring has. Removing the oldest removes
	// that part of the whole.
	segments  = 8
	extension = ".log"
	// maxBatch bounds what is written, and read, at once.
	maxBatch = 64 << 10
	// maxMarks bounds the marks of one app. If somebody else removes an instance,
	// nobody removes its mark; so the oldest are dropped.
	maxMarks = 1000
)

// errClosed is the answer of a ring that was closed or removed.
var errClosed = errors.New("the log is closed")

// segment is one file of a ring: that of the lines from first on.
type segment struct {
	first uint64
	size  int64
}

// ring is the log of one app.
type ring struct {
	dir      string
	maxBytes int64
	now      func() time.Time
	queue    lineQueue

	mu       sync.Mutex
	segments []segment // oldest first
	file     *os.File  // the newest; nil before the first line
	next     uint64    // the id of the next line
	marks    marks
	changed  chan struct{} // closed at the next batch; nil when nobody waits
	closed   bool
	// lost lines since then, which the disk did not take
	lost      int
	lostSince time.Time
}

// openRing opens a ring, and cuts off what a crash tore at its end.
func openRing(dir string, maxBytes int64, now func() time.Time) (*ring, error) {
	r := &ring{dir: dir, maxBytes: maxBytes, now: now, next: 1, marks: marks{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := r.find(); err != nil {
		return nil, err
	}
	if len(r.segments) == 0 {
		return r, nil
	}
	return r, r.resume()
}

// find lists the segments.
func (r *ring) find() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		first, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), extension), 10, 64)
		if err != nil {
			continue // none of ours
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		r.segments = append(r.segments, segment{first, info.Size()})
	}
	slices.SortFunc(r.segments, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return nil
}

// resume reads the newest segment, which begins with the marks of the one
// before. If it has none, a power loss tore it when it was new, and the one
// before it has all.
func (r *ring) resume() error {
	for {
		newest := &r.segments[len(r.segments)-1]
		b, err := os.ReadFile(r.path(newest.first))
		if err != nil {
			return err
		}
		r.next = newest.first
		whole := each(b, func(b batch) {
			r.next = b.first + uint64(b.count)
			r.noteLocked(b.marks)
		})
		if whole == 0 && len(r.segments) > 1 {
			if err := os.Remove(r.path(newest.first)); err != nil {
				return err
			}
			r.segments = r.segments[:len(r.segments)-1]
			continue
		}
		newest.size = int64(whole)
		r.file, err = os.OpenFile(r.path(newest.first), os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return r.file.Truncate(newest.size)
	}
}

func (r *ring) path(first uint64) string {
	return filepath.Join(r.dir, fmt.Sprintf("%020d%s", first, extension))
}

// append writes lines and marks, in batches.
func (r *ring) append(lines []renga.LogLine, ms marks) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	if r.lost > 0 { // tell, if the disk lets us
		if err := r.batchLocked([]renga.LogLine{r.lossLocked()}, nil); err != nil {
			return r.loseLocked(len(lines), err)
		}
		r.lost = 0
	}
	for {
		some := lines[:fitting(lines)]
		lines = lines[len(some):]
		var own marks // with the last lines, so that the rest is read again
		if len(lines) == 0 {
			own = ms
		}
		if err := r.batchLocked(some, own); err != nil {
			return r.loseLocked(len(some)+len(lines), err)
		}
		if len(lines) == 0 {
			return nil
		}
	}
}

// fitting is how many of the lines make a batch.
func fitting(lines []renga.LogLine) int {
	size := 0
	for n, line := range lines {
		if size += len(line.Text) + 64; size > maxBatch {
			return max(n, 1)
		}
	}
	return len(lines)
}

// batchLocked writes one batch, all or nothing.
func (r *ring) batchLocked(lines []renga.LogLine, ms marks) error {
	b := encode(r.next, lines, ms)
	if err := r.roomLocked(int64(len(b))); err != nil {
		return err
	}
	newest := &r.segments[len(r.segments)-1]
	if _, err := r.file.WriteAt(b, newest.size); err != nil {
		return errors.Join(fmt.Errorf("write log: %w", err), r.file.Truncate(newest.size))
	}
	newest.size += int64(len(b))
	r.next += uint64(len(lines))
	r.noteLocked(ms)
	if r.changed != nil && len(lines) > 0 {
		close(r.changed)
		r.changed = nil
	}
	return nil
}

// roomLocked makes a new segment if the newest one cannot take n more bytes.
func (r *ring) roomLocked(n int64) error {
	most := r.maxBytes / segments
	if r.file != nil && r.segments[len(r.segments)-1].size+n <= most {
		return nil
	}
	snapshot := encode(r.next, nil, r.marks)
	f, err := r.create(r.path(r.next), snapshot)
	if err != nil {
		return fmt.Errorf("begin log segment: %w", err)
	}
	if r.file != nil {
		_ = r.file.Close() // every write was looked at
	}
	if k := len(r.segments); k > 0 && r.segments[k-1].first == r.next {
		r.segments = r.segments[:k-1] // it held nothing but marks
	}
	r.file = f
	r.segments = append(r.segments, segment{r.next, int64(len(snapshot))})
	return r.trimLocked(most)
}

// create makes a segment with its content, or none at all: a kill must neither
// leave one without the marks, nor remove those of one of the same name.
func (r *ring) create(path string, content []byte) (*os.File, error) {
	beside := filepath.Join(r.dir, "new")
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(content)
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(beside))
	}
	return f, nil
}

// trimLocked removes the oldest segments until the newest may fill up.
func (r *ring) trimLocked(most int64) error {
	total := most - r.segments[len(r.segments)-1].size
	for _, s := range r.segments {
		total += s.size
	}
	for total > r.maxBytes && len(r.segments) > 1 {
		err := os.Remove(r.path(r.segments[0].first))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove log segment: %w", err)
		}
		total -= r.segments[0].size
		r.segments = r.segments[1:]
	}
	return nil
}

// noteLocked takes over marks.
func (r *ring) noteLocked(ms marks) {
	for instance, m := range ms {
		if m == (renga.LogMark{}) {
			delete(r.marks, instance)
		} else {
			r.marks[instance] = m
		}
	}
	for len(r.marks) > maxMarks {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(r.marks)), func(a, b string) int {
			return r.marks[a].Until.Compare(r.marks[b].Until)
		})
		delete(r.marks, oldest)
	}
}

func (r *ring) mark(instance string) renga.LogMark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.marks[instance]
}

// loseLocked counts lines that could not be written.
func (r *ring) loseLocked(n int, err error) error {
	if r.lost == 0 {
		r.lostSince = r.now()
	}
	r.lost += n
	return err
}

// lossLocked is the line on lost lines, once there is room again.
func (r *ring) lossLocked() renga.LogLine {
	return renga.LogLine{
		Time: r.now(), Source: renga.SourceHeroku, Dyno: logplex,
		Text: overflow("L13", "Local delivery error", r.lost, "could not be written", r.lostSince),
	}
}

func (r *ring) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}
