package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"sync"
	"time"
)

// Lines of the log that say who changed what have the message "audit". They go
// to the log as all others, and besides into a file that is only appended to,
// whatever level the log has.
const (
	auditMessage  = "audit"
	auditMaxBytes = 16 << 20
	auditKept     = 8 // full files, besides the one that is written
)

// auditPath is where the file is; full ones are beside it, .1 the newest.
func (s *Settings) auditPath() string { return s.path("audit.log") }

// withTrail makes a log that keeps audit lines in w too.
func withTrail(log *slog.Logger, w io.Writer) *slog.Logger {
	return slog.New(auditing{log: log.Handler(), trail: slog.NewJSONHandler(w, nil)})
}

// auditing is a handler for both.
type auditing struct{ log, trail slog.Handler }

func (a auditing) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || a.log.Enabled(ctx, level)
}

func (a auditing) Handle(ctx context.Context, r slog.Record) error {
	var err error
	if r.Message == auditMessage {
		err = a.keep(ctx, r)
	}
	if a.log.Enabled(ctx, r.Level) {
		err = errors.Join(err, a.log.Handle(ctx, r))
	}
	return err
}

// keep writes an audit line. That one was lost is told in the log.
func (a auditing) keep(ctx context.Context, r slog.Record) error {
	err := a.trail.Handle(ctx, r)
	if err == nil {
		return nil
	}
	lost := slog.NewRecord(time.Now(), slog.LevelError, "audit line not kept", 0)
	lost.AddAttrs(slog.Any("err", err))
	return a.log.Handle(ctx, lost)
}

func (a auditing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return auditing{log: a.log.WithAttrs(attrs), trail: a.trail.WithAttrs(attrs)}
}

func (a auditing) WithGroup(name string) slog.Handler {
	return auditing{log: a.log.WithGroup(name), trail: a.trail.WithGroup(name)}
}

// trail is a file that lines are appended to, each on the disk when Write
// returns. Full, it is renamed, and the oldest of those before it goes.
type trail struct {
	path string
	max  int64
	mu   sync.Mutex // guards the rest
	file *os.File   // nil before the first line
	size int64
}

// Write appends one line.
func (t *trail) Write(line []byte) (int, error) {
	file, n, err := t.append(line)
	if err != nil {
		return n, err
	}
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // closed means rotated, which syncs
		return n, fmt.Errorf("sync %s: %w", t.path, err)
	}
	return n, nil
}

func (t *trail) append(line []byte) (*os.File, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != nil && t.size+int64(len(line)) > t.max {
		if err := t.rotate(); err != nil {
			return nil, 0, err
		}
	}
	if t.file == nil {
		if err := t.open(); err != nil {
			return nil, 0, err
		}
	}
	n, err := t.file.Write(line)
	t.size += int64(n)
	return t.file, n, err
}

func (t *trail) open() error {
	file, err := os.OpenFile(t.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	t.file, t.size = file, info.Size()
	return nil
}

func (t *trail) rotate() error {
	err := errors.Join(t.file.Sync(), t.file.Close())
	t.file = nil
	for n := auditKept - 1; n >= 0 && err == nil; n-- {
		from := t.path
		if n > 0 {
			from += "." + strconv.Itoa(n)
		}
		if err = os.Rename(from, t.path+"."+strconv.Itoa(n+1)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return err
}

// auditCommand writes the line of a change that a command made. The platform
// may run beside it and rotates the file, so the command does not.
func auditCommand(s Settings, action string, facts ...any) error {
	t := &trail{path: s.auditPath(), max: math.MaxInt64}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, auditMessage, 0)
	line.Add("action", action, "from", "command")
	line.Add(facts...)
	err := slog.NewJSONHandler(t, nil).Handle(context.Background(), line)
	if t.file != nil {
		err = errors.Join(err, t.file.Close())
	}
	return err
}
