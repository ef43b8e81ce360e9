package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"renga"
	"renga/runtime/engine"
)

// recording says how far it is written down what a release command prints.
type recording int

const (
	toDo recording = iota
	underWay
	recorded
)

// recordLocked sees to it that all that a release command prints is written
// down, and tells whether that is still to be done. A recording that broke off,
// or was cut off by our end, begins anew: the engine gives all of it again.
func (w *watch) recordLocked(ctx context.Context, i engine.Instance) (busy bool) {
	reader, ok := w.m.engine.(engine.OutputReader)
	if !ok || w.m.opts.Outputs == nil || i.Type != renga.ReleaseType || i.State == engine.Created || w.recording == recorded {
		return false
	}
	if w.recording == underWay {
		return true
	}
	w.recording = underWay
	w.tasks.Go(func() {
		err := w.record(ctx, reader, i)
		if err != nil && ctx.Err() == nil {
			w.logger().WarnContext(ctx, "cannot write down what the release command prints", "dyno", i.Name, "err", err)
		}
		over := err == nil || i.State == engine.Exited
		w.mu.Lock()
		if w.recording = toDo; over {
			w.recording = recorded
		}
		w.mu.Unlock()
		if over {
			w.lookAgain()
		}
	})
	return true
}

func (w *watch) record(ctx context.Context, reader engine.OutputReader, i engine.Instance) error {
	out, err := w.m.opts.Outputs.Record(w.app, i.Release)
	if err != nil {
		return fmt.Errorf("record %s: %w", i.Name, err)
	}
	var failed error
	err = reader.ReadOutput(ctx, i.ID, time.Time{}, func(p engine.Printed) {
		if !p.More {
			p.Text += "\n"
		}
		if failed == nil {
			_, failed = io.WriteString(out, p.Text)
		}
	})
	return errors.Join(err, failed, out.Close())
}
