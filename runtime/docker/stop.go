package docker

import (
	"context"
	"fmt"
	"time"

	"renga/docker"
)

// killWait is how long the daemon may need after SIGKILL.
const killWait = 10 * time.Second

// Stop implements [engine.Engine]. When ctx ends on the way, the dyno is left
// with its SIGTERM, and another Stop goes on from there.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil {
		return err
	}
	name := c.Labels[labelDyno]
	if c.State == docker.Running && grace > 0 {
		if err := c.Terminate(ctx, grace); err != nil {
			return fmt.Errorf("stop dyno %s: %w", name, err)
		}
	}
	if err := c.Remove(ctx); err != nil {
		return fmt.Errorf("remove dyno %s: %w", name, err)
	}
	return nil
}

// Kill implements [engine.Engine].
func (e *Engine) Kill(ctx context.Context, id string) error {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil {
		return err
	}
	if err := c.Kill(ctx); err != nil {
		return fmt.Errorf("kill dyno %s: %w", c.Labels[labelDyno], err)
	}
	return nil
}

// Terminate implements [engine.Ender].
func (e *Engine) Terminate(ctx context.Context, id string, grace time.Duration) (killed bool, err error) {
	c, err := e.docker.Inspect(ctx, id)
	if err != nil || c == nil || c.State != docker.Running {
		return false, err
	}
	name := c.Labels[labelDyno]
	if err := c.Terminate(ctx, grace); err != nil {
		return false, fmt.Errorf("end dyno %s: %w", name, err)
	}
	if c, err = e.docker.Inspect(ctx, id); err != nil || c == nil || c.State != docker.Running {
		return false, err
	}
	if err := c.Kill(ctx); err != nil {
		return true, fmt.Errorf("kill dyno %s: %w", name, err)
	}
	if err := c.AwaitEnd(ctx, killWait); err != nil {
		return true, fmt.Errorf("end dyno %s: %w", name, err)
	}
	return true, nil
}
