package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"renga"
)

// readBytes is what a reader takes at once. It holds at least one whole batch.
const readBytes = 4 * maxBatch

// Last gives the newest n lines that the filter chooses, oldest first, and the
// id of the newest line of all: following from there on neither misses nor
// doubles a line. A negative n means all.
func (l *Logs) Last(app renga.AppID, n int, f renga.LogFilter) (lines []renga.LogLine, end uint64, err error) {
	r, err := l.known(app)
	if err != nil || r == nil {
		return nil, 0, err
	}
	all, next := r.snapshot()
	for _, s := range slices.Backward(all) {
		if n >= 0 && len(lines) >= n {
			break
		}
		chosen, err := r.chosen(s, f)
		if err != nil {
			return nil, 0, fmt.Errorf("read log of app %s: %w", app, err)
		}
		lines = append(chosen, lines...)
	}
	if n >= 0 {
		lines = lines[max(0, len(lines)-n):]
	}
	return lines, next - 1, nil
}

// snapshot is the state of the ring at this moment.
func (r *ring) snapshot() ([]segment, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.segments), r.next
}

// chosen reads one segment as far as it was written when it was listed. If it
// has been removed meanwhile, it has no lines.
func (r *ring) chosen(s segment, f renga.LogFilter) ([]renga.LogLine, error) {
	b, err := readTo(r.path(s.first), s.size)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var lines []renga.LogLine
	each(b, func(b batch) {
		for _, line := range b.after(0) {
			if f.Matches(line) {
				lines = append(lines, line)
			}
		}
	})
	return lines, err
}

func readTo(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, size))
}

// Follow calls tell with the lines after an id, present and future ones, until
// ctx or the log ends or tell returns an error, which it returns. Missed is how
// many lines before these are gone, for the reader was too slow or away for too
// long. A log that does not exist yet is waited for.
func (l *Logs) Follow(ctx context.Context, app renga.AppID, after uint64,
	tell func(lines []renga.LogLine, missed uint64) error) error {
	r, err := l.ring(app)
	if err != nil {
		return err
	}
	p := cursor{ring: r, after: after}
	defer p.close()
	for {
		changed, err := r.await(p.after)
		if err != nil {
			return err
		}
		if changed != nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		lines, missed, err := p.read()
		if err != nil {
			return fmt.Errorf("read log of app %s: %w", app, err)
		}
		l.stats.missed.Add(missed)
		if len(lines) == 0 && missed == 0 {
			continue
		}
		if err := tell(lines, missed); err != nil {
			return err
		}
	}
}

// await is nil if there are lines after that id, or else a channel that is
// closed once there may be. If the ring is closed and all is read, it is an
// error.
func (r *ring) await(after uint64) (<-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case after+1 < r.next:
		return nil, nil
	case r.closed:
		return nil, errClosed
	case r.changed == nil:
		r.changed = make(chan struct{})
	}
	return r.changed, nil
}

// cursor is a reader's position.
type cursor struct {
	*ring
	after  uint64   // the id of the last line that was read
	from   uint64   // segments that begin before this are read
	file   *os.File // of the segment that is being read; nil for none
	first  uint64   // of that segment
	offset int64
}

func (c *cursor) close() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
		c.file = nil
	}
}

// read returns the next lines. There may be none, at the end of a segment or in
// a batch of marks.
func (c *cursor) read() (lines []renga.LogLine, missed uint64, err error) {
	size, next, err := c.openNext()
	if err != nil {
		return nil, 0, err
	}
	if c.after+1 < c.first {
		missed, c.after = c.first-1-c.after, c.first-1
	}
	buf := make([]byte, min(readBytes, size-c.offset))
	n, err := c.file.ReadAt(buf, c.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, missed, err
	}
	whole := each(buf[:n], func(b batch) {
		lines = append(lines, b.after(c.after)...)
		c.after = max(c.after, b.first+uint64(b.count)-1)
	})
	c.offset += int64(whole)
	if whole > 0 && c.offset < size {
		return lines, missed, nil
	}
	c.offset = size // what could not be read is damaged
	if c.after+1 < next {
		c.close()
		c.from = c.first + 1
	}
	return lines, missed, nil
}

// openNext opens the segment to read from, unless it is open, and gives how much
// there is of it, and the id of the line that will come after all segments.
func (c *cursor) openNext() (size int64, next uint64, err error) {
	for {
		all, next := c.snapshot()
		all = slices.DeleteFunc(all, func(s segment) bool { return s.first < c.from })
		if c.file == nil {
			err = c.open(all)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it was just removed
		case err != nil:
			return 0, 0, err
		}
		size, err = c.sizeIn(all)
		if c.offset > size { // it held only marks, and was begun anew
			c.offset = 0
		}
		return size, next, err
	}
}

// open opens the segment of the line to be read next, or the first one there is.
func (c *cursor) open(all []segment) (err error) {
	if len(all) == 0 {
		return fmt.Errorf("no segment holds line %d", c.after+1)
	}
	at := all[0]
	for _, s := range all[1:] {
		if s.first <= c.after+1 {
			at = s
		}
	}
	c.first, c.offset = at.first, 0
	c.file, err = os.Open(c.path(at.first))
	return err
}

// sizeIn is how much of the open segment was written. A segment that is no
// longer listed does not grow.
func (c *cursor) sizeIn(all []segment) (int64, error) {
	for _, s := range all {
		if s.first == c.first {
			return s.size, nil
		}
	}
	info, err := c.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
