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

// recordLocked sees to it that all that a release command prints is written
// down, and tells whether that is still to be done. A recording that broke off,
// or was cut off by our end, begins anew: the engine gives all of it again.
func (w *worker) recordLocked(ctx context.Context, i engine.Instance, s *sight) (busy bool) {
	reader, ok := w.m.engine.(engine.OutputReader)
	if !ok || w.m.opts.Outputs == nil || i.Type != renga.ReleaseType || i.State == engine.Created || s.recorded {
		return false
	}
	if s.recording {
		return true
	}
	s.recording = true
	w.tasks.Go(func() {
		err := w.record(ctx, reader, i)
		if err != nil && ctx.Err() == nil {
			w.logger().WarnContext(ctx, "cannot write down what the release command prints", "dyno", i.Name, "err", err)
		}
		w.mu.Lock()
		s.recording, s.recorded = false, err == nil || i.State == engine.Exited
		w.mu.Unlock()
		if err == nil || i.State == engine.Exited {
			poke(w.wake)
		}
	})
	return true
}

func (w *worker) record(ctx context.Context, reader engine.OutputReader, i engine.Instance) error {
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
