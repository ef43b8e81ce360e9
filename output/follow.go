package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"renga"
)

// pause is how often a follower asks whether the command has ended.
const pause = 200 * time.Millisecond

// Follow writes a release command's output to w, as it comes, until over says
// that there will be no more. It calls over every now and then; an error of
// over ends it. It leaves out what was cut off before it could be written.
func (s *Outputs) Follow(ctx context.Context, app renga.AppID, version int, w io.Writer,
	over func(context.Context) (bool, error)) error {
	f := follower{path: s.path(app, version), w: w}
	for {
		end, err := over(ctx) // before the last reading, so that nothing is missed
		if err != nil {
			return err
		}
		grown, err := f.read(s.recording(f.path))
		if err != nil || end {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		case <-time.After(pause):
		}
	}
}

// recording is the output at path while it is being written; nil otherwise.
func (s *Outputs) recording(path string) *recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[path]
}

// follower is the position of one reader.
type follower struct {
	path string
	w    io.Writer
	at   int64 // of all that was written, the part that was cut off included
	last *recording
}

// read writes all there is by now. The channel is closed when there is more.
func (f *follower) read(r *recording) (<-chan struct{}, error) {
	if r == nil && f.last == nil {
		return nil, f.readFile()
	}
	if r != nil && r != f.last { // the first, or one that began anew
		if f.last != nil {
			f.at = 0
		}
		f.last = r
	}
	return f.readRecording(f.last)
}

// readFile writes the file of an ended recording.
func (f *follower) readFile() error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read output: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	if _, err := file.Seek(f.at, io.SeekStart); err != nil {
		return fmt.Errorf("read output: %w", err)
	}
	n, err := io.Copy(f.w, file)
	f.at += n
	return err
}

// readRecording writes what is new, a piece at a time, so that a slow reader
// does not block the writer.
func (f *follower) readRecording(r *recording) (<-chan struct{}, error) {
	piece := make([]byte, 32<<10)
	for {
		n, grown, err := r.readAt(piece, &f.at)
		if err != nil || n == 0 {
			return grown, err
		}
		if _, err := f.w.Write(piece[:n]); err != nil {
			return nil, err
		}
	}
}

// readAt reads at *at and advances it, past what was cut off if need be.
func (r *recording) readAt(piece []byte, at *int64) (n int, grown <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*at = max(*at, r.base)
	left := r.base + r.size - *at
	if left <= 0 {
		return 0, r.grown, nil
	}
	file := r.file
	if r.ended { // its file is closed
		if file, err = os.Open(r.path); err != nil {
			return 0, r.grown, fmt.Errorf("read output: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
	}
	n, err = file.ReadAt(piece[:min(int64(len(piece)), left)], *at-r.base)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	*at += int64(n)
	return n, r.grown, err
}
