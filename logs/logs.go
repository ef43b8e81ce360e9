// Package logs keeps the apps' logs: one durable ring of lines per app, on disk
// and bounded in bytes.
//
// A ring is a directory named by the app's id, with segments: files that are
// only appended to. When there are too many bytes the oldest segment is
// removed. Lines are written in batches, each with a checksum, so that the next
// start cuts off a batch that a crash tore. A follower of a dyno's output puts
// the mark of how far it has read into the same batch, so that after a crash it
// continues exactly where the ring ends: no line is lost or doubled.
//
// Readers read the files, by the lines' ids. They block nothing: a reader that
// is so slow that its position falls out of the ring is told how many lines it
// missed, and continues from there.
package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"renga"
)

// DefaultMaxBytes is the default size of one app's ring; MinMaxBytes is the
// least that makes sense.
const (
	DefaultMaxBytes = 10 << 20
	MinMaxBytes     = 1 << 20
)

// Options say where the rings are. All but Dir have a default.
type Options struct {
	// Dir holds one directory per app.
	Dir string
	// MaxBytes is what the ring of one app may take on disk.
	MaxBytes int64
	Log      *slog.Logger
	Now      func() time.Time
}

// Logs are the rings of all apps. All methods may be called at once from
// several goroutines.
type Logs struct {
	opt    Options
	log    *slog.Logger
	full   atomic.Bool // the disk did not take a batch, and that has been told
	stats  counters
	queues queueSet

	mu    sync.RWMutex
	rings map[renga.AppID]*ring
}

// New makes the directory. Rings are opened when they are needed.
func New(o Options) (*Logs, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	o.MaxBytes = max(o.MaxBytes, MinMaxBytes)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for logs: %w", err)
	}
	return &Logs{opt: o, log: o.Log, rings: map[renga.AppID]*ring{}, queues: newQueueSet()}, nil
}

// Line adds one line, of now. It never fails: a line that cannot be written is
// counted, and the log says so later.
func (l *Logs) Line(app renga.AppID, source, dyno, text string) {
	l.write(app, []renga.LogLine{{Time: l.opt.Now(), Source: source, Dyno: dyno, Text: text}}, nil)
}

// Keep adds what an instance of a dyno printed, together with the mark of how
// far that is; the mark alone when there are no lines. Lines that cannot be
// written are counted, and the log says so later.
func (l *Logs) Keep(app renga.AppID, instance string, lines []renga.LogLine, mark renga.LogMark) {
	l.write(app, lines, marks{instance: mark})
}

// Mark is how far an instance's output has been kept; zero for not at all.
func (l *Logs) Mark(app renga.AppID, instance string) renga.LogMark {
	r, err := l.ring(app)
	if err != nil {
		return renga.LogMark{}
	}
	return r.mark(instance)
}

// Forget drops the mark of an instance that is gone; without an instance it
// removes all of the app's log. Calling it again is no error.
func (l *Logs) Forget(app renga.AppID, instance string) error {
	if instance != "" {
		return l.forgetMark(app, instance)
	}
	dir, err := l.dir(app)
	if err != nil {
		return err
	}
	l.mu.Lock()
	r := l.rings[app]
	delete(l.rings, app)
	l.mu.Unlock()
	if r != nil {
		r.close()
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove log of app %s: %w", app, err)
	}
	return nil
}

// forgetMark takes a mark back, if there is one.
func (l *Logs) forgetMark(app renga.AppID, instance string) error {
	r, err := l.known(app)
	if err == nil && r != nil && r.mark(instance) != (renga.LogMark{}) {
		l.write(app, nil, marks{instance: renga.LogMark{}})
	}
	return err
}

// Apps lists the apps that have a log.
func (l *Logs) Apps() ([]renga.AppID, error) {
	entries, err := os.ReadDir(l.opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	var apps []renga.AppID
	for _, e := range entries {
		if e.IsDir() && uuid.Validate(e.Name()) == nil {
			apps = append(apps, renga.AppID(e.Name()))
		}
	}
	return apps, nil
}

// Close closes the files. Lines that come later are lost.
func (l *Logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, r := range l.rings {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// write appends to an app's ring. It treats a ring that cannot be opened like
// one that cannot be written.
func (l *Logs) write(app renga.AppID, lines []renga.LogLine, ms marks) {
	r, err := l.ring(app)
	if err == nil {
		err = r.append(split(lines), ms)
	}
	if err == nil {
		l.stats.lines.Add(uint64(len(lines)))
		if l.full.CompareAndSwap(true, false) {
			l.log.Info("logs can be written again")
		}
		return
	}
	if errors.Is(err, errClosed) {
		return
	}
	l.stats.lost.Add(uint64(len(lines)))
	if l.full.CompareAndSwap(false, true) {
		l.log.Error("logs cannot be written, lines are lost", "app", app, "err", err)
	}
}

// ring is the app's ring, opened when it is not.
func (l *Logs) ring(app renga.AppID) (*ring, error) {
	l.mu.RLock()
	r := l.rings[app]
	l.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	dir, err := l.dir(app)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.rings[app]; r != nil {
		return r, nil
	}
	r, err = openRing(dir, l.opt.MaxBytes, l.opt.Now)
	if err != nil {
		return nil, fmt.Errorf("open log of app %s: %w", app, err)
	}
	l.rings[app] = r
	return r, nil
}

// known is the app's ring; nil if nothing was ever written.
func (l *Logs) known(app renga.AppID) (*ring, error) {
	dir, err := l.dir(app)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return l.ring(app)
}

// dir is where an app's ring is. The platform makes the ids; anything else must
// not become a path.
func (l *Logs) dir(app renga.AppID) (string, error) {
	if uuid.Validate(string(app)) != nil {
		return "", fmt.Errorf("%q is no app's id", app)
	}
	return filepath.Join(l.opt.Dir, string(app)), nil
}

// Stats are counts since the start, for metrics.
type Stats struct {
	Lines   uint64 // kept
	Lost    uint64 // that the disk did not take
	Dropped uint64 // that came faster than they could be written
	Missed  uint64 // that readers were too slow for
	// Undrained are those that drains did not take in time.
	Undrained uint64
}

type counters struct{ lines, lost, dropped, missed, undrained atomic.Uint64 }

// Stats reads the counts.
func (l *Logs) Stats() Stats {
	return Stats{
		Lines: l.stats.lines.Load(), Lost: l.stats.lost.Load(),
		Dropped: l.stats.dropped.Load(), Missed: l.stats.missed.Load(),
		Undrained: l.stats.undrained.Load(),
	}
}
