package logs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/durable"
)

const (
	// drainBuffer is how many lines may wait for a drain; beyond it the oldest
	// are dropped, as on Heroku.
	drainBuffer = 1024
	// The pauses between two tries, which double.
	firstDrainRetry   = time.Second
	longestDrainRetry = time.Minute
	// sendLimit bounds one try.
	sendLimit = 15 * time.Second
	// savePause is how often the position of a busy drain is saved: after a
	// crash, lines sent since then are sent again.
	savePause = time.Second
)

// sink takes lines to a drain's receiver.
type sink interface {
	// send sends all of the lines or returns an error. Frame identifies the
	// lines: sending them again uses the same one.
	send(ctx context.Context, frame string, lines []renga.LogLine) error
	close()
}

// drainWorker sends one app's log to one drain.
type drainWorker struct {
	renga.Drain
	d    *Drainer
	sink sink

	after        uint64 // the last line that was sent
	written      time.Time
	dropped      uint64
	droppedSince time.Time
	failing      bool
}

func newDrainWorker(d *Drainer, one renga.Drain) (*drainWorker, error) {
	s, err := d.newSink(one)
	if err != nil {
		return nil, err
	}
	return &drainWorker{Drain: one, d: d, sink: s}, nil
}

// run sends until ctx ends. It goes on after the end of a removed log, for
// there may be a new one before the drain is removed.
func (w *drainWorker) run(ctx context.Context) {
	defer w.sink.close()
	w.after = w.d.logs.drainPosition(w.App, w.ID)
	for ctx.Err() == nil {
		err := w.d.logs.Follow(ctx, w.App, w.after, func(lines []renga.LogLine, missed uint64) error {
			w.drop(missed)
			return w.deliver(ctx, lines)
		})
		if errors.Is(err, errClosed) {
			return
		}
		if ctx.Err() == nil {
			w.d.opt.Log.Error("log drain reads the log", "app", w.App, "drain", w.Drain, "err", err)
			pause(ctx, firstDrainRetry)
		}
	}
	if errors.Is(context.Cause(ctx), errRemoved) {
		w.d.logs.removePosition(w.App, w.ID)
		return
	}
	w.write()
}

// deliver sends lines, again and again until they have arrived, too many wait,
// or ctx ends.
func (w *drainWorker) deliver(ctx context.Context, lines []renga.LogLine) error {
	end, retry := lines[len(lines)-1].ID, firstDrainRetry
	for {
		lines = w.newest(lines)
		sent, err := w.try(ctx, lines)
		lines = lines[sent:]
		switch {
		case err == nil && len(lines) == 0:
			w.arrived(end)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			w.fail(err)
			pause(ctx, retry)
			retry = min(2*retry, longestDrainRetry)
		}
	}
}

// try sends some of the lines, after a line on those that were dropped, and
// returns how many.
func (w *drainWorker) try(ctx context.Context, lines []renga.LogLine) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	some := lines[:min(len(lines), drainBuffer)]
	batch, dropped := some, w.dropped
	if dropped > 0 {
		batch = append([]renga.LogLine{w.overflow()}, some...)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	frame := fmt.Sprintf("%s-%d-%d", w.ID, batch[len(batch)-1].ID, len(batch))
	if err := w.sink.send(ctx, frame, batch); err != nil {
		return 0, err
	}
	w.dropped -= dropped
	return len(some), nil
}

// newest drops the lines beyond drainBuffer.
func (w *drainWorker) newest(lines []renga.LogLine) []renga.LogLine {
	end := w.d.logs.end(w.App)
	n := 0
	for n < len(lines) && lines[n].ID+drainBuffer <= end {
		n++
	}
	w.drop(uint64(n))
	return lines[n:]
}

func (w *drainWorker) drop(n uint64) {
	if n > 0 && w.dropped == 0 {
		w.droppedSince = w.d.logs.opt.Now()
	}
	w.dropped += n
	w.d.logs.stats.undrained.Add(n)
}

// overflow is the line that tells the receiver of dropped lines.
func (w *drainWorker) overflow() renga.LogLine {
	return renga.LogLine{
		Time: w.d.logs.opt.Now(), Source: renga.SourceHeroku, Dyno: logplex,
		Text: overflow("L10", "output buffer overflow", int(w.dropped), "dropped", w.droppedSince),
	}
}

// arrived notes that all lines up to one have arrived or were dropped.
func (w *drainWorker) arrived(end uint64) {
	w.after = end
	if w.failing {
		w.failing = false
		w.d.logs.Line(w.App, renga.SourceHeroku, logplex, "Drain "+w.Token+" takes lines again")
	}
	if time.Since(w.written) >= savePause {
		w.write()
	}
}

// fail tells the app's owner, once, that the drain does not take lines. The
// cause goes to Renga's log: it may hold an address, but no password, for
// errors here hold no URLs.
func (w *drainWorker) fail(err error) {
	if w.failing {
		return
	}
	w.failing = true
	w.d.opt.Log.Warn("log drain does not take lines", "app", w.App, "drain", w.Drain, "err", err)
	w.d.logs.Line(w.App, renga.SourceHeroku, logplex,
		fmt.Sprintf("Drain %s does not take lines: %s", w.Token, reason(err)))
}

// ownerError is an error whose text is for the app's owner.
type ownerError string

func (t ownerError) Error() string { return string(t) }

// reason is what the app's owner is told. It does not tell how an address could
// not be reached: refusals, silences and names in certificates would give away
// the network that Renga is in.
func reason(err error) string {
	var untrusted *tls.CertificateVerificationError
	var mine ownerError
	switch {
	case errors.As(err, &mine):
		return string(mine)
	case errors.As(err, &untrusted):
		return "the receiver's certificate is not valid for the drain's host, or by no authority that is known here"
	}
	return "the receiver cannot be reached, or does not take them; the operator finds the cause in Renga's log"
}

func (w *drainWorker) write() {
	w.written = time.Now()
	if err := w.d.logs.savePosition(w.App, w.ID, w.after); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.d.opt.Log.Warn("log drain's place is not written down", "app", w.App, "drain", w.Drain, "err", err)
	}
}

// end is the id of the newest line.
func (l *Logs) end(app renga.AppID) uint64 {
	r, err := l.known(app)
	if err != nil || r == nil {
		return 0
	}
	_, next := r.snapshot()
	return next - 1
}

// drainPosition is a drain's position in the log; a new drain begins at the
// end.
func (l *Logs) drainPosition(app renga.AppID, drain string) uint64 {
	if dir, err := l.dir(app); err == nil {
		text, err := os.ReadFile(positionFile(dir, drain))
		if id, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
			return id
		}
	}
	return l.end(app)
}

func (l *Logs) savePosition(app renga.AppID, drain string, id uint64) error {
	dir, err := l.dir(app)
	if err != nil {
		return err
	}
	return durable.WriteFile(positionFile(dir, drain), strconv.AppendUint(nil, id, 10), 0o600)
}

func (l *Logs) removePosition(app renga.AppID, drain string) {
	if dir, err := l.dir(app); err == nil {
		_ = os.Remove(positionFile(dir, drain)) // it may never have been written
	}
}

func positionFile(dir, drain string) string { return filepath.Join(dir, drain+".drain") }

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
