package docker

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// Tail implements [engine.Tailer]. An instance that is gone has no lines.
func (e *Engine) Tail(ctx context.Context, id string, n int) ([]string, error) {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil {
		return nil, err
	}
	lines, err := c.Tail(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("dyno %s: %w", c.Labels[labelDyno], err)
	}
	return lines, nil
}

// ReadOutput implements [engine.OutputReader].
func (e *Engine) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil {
		return err
	}
	if err := c.Follow(ctx, since, func(p docker.Printed) { tell(engine.Printed(p)) }); err != nil {
		return fmt.Errorf("read output of dyno %s: %w", c.Labels[labelDyno], err)
	}
	return nil
}

// OpenFile implements [engine.Filer]. What the kernel makes up, such as /proc, is
// not there.
func (e *Engine) OpenFile(ctx context.Context, id, path string) (fs.File, error) {
	c, err := e.docker.InspectRunning(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.Open(ctx, path)
}

// Measure implements [engine.Measurer].
func (e *Engine) Measure(ctx context.Context, id string) (renga.Usage, error) {
	return e.docker.Measure(ctx, id)
}

// Forget implements [engine.Forgetter]: networks and images go with an app.
func (e *Engine) Forget(ctx context.Context, app renga.AppID) error {
	return e.docker.Forget(ctx, app)
}
