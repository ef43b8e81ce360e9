package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// killWait is how long the daemon may need after SIGKILL.
const killWait = 10 * time.Second

// Stop implements [engine.Engine]. It waits here and not in the daemon, whose
// grace counts whole seconds and goes on when nobody wants it any more. When
// ctx ends on the way, the dyno is left with its SIGTERM, and another Stop goes
// on from there.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	api, c, err := e.find(ctx, id)
	if err != nil || c == nil {
		return err
	}
	name := c.Config.Labels[labelDyno]
	if c.State.Running && grace > 0 {
		if err := e.sigterm(ctx, api, id, grace); err != nil {
			return fmt.Errorf("stop dyno %s: %w", name, err)
		}
	}
	if err := e.remove(ctx, api, id); err != nil {
		return fmt.Errorf("remove dyno %s: %w", name, err)
	}
	return nil
}

// Kill implements [engine.Engine].
func (e *Engine) Kill(ctx context.Context, id string) error {
	api, c, err := e.find(ctx, id)
	if err != nil || c == nil {
		return err
	}
	err = api.ContainerKill(ctx, id, "SIGKILL")
	if err != nil && !gone(err) && !notRunning(err) {
		return fmt.Errorf("kill dyno %s: %w", c.Config.Labels[labelDyno], e.fault(err))
	}
	return nil
}

// Terminate implements [engine.Ender].
func (e *Engine) Terminate(ctx context.Context, id string, grace time.Duration) (killed bool, err error) {
	api, c, err := e.find(ctx, id)
	if err != nil || c == nil || !c.State.Running {
		return false, err
	}
	name := c.Config.Labels[labelDyno]
	if err := e.sigterm(ctx, api, id, grace); err != nil {
		return false, fmt.Errorf("end dyno %s: %w", name, err)
	}
	if _, c, err = e.find(ctx, id); err != nil || c == nil || !c.State.Running {
		return false, err
	}
	if err := e.Kill(ctx, id); err != nil {
		return true, err
	}
	if err := e.awaitEnd(ctx, api, id, killWait); err != nil {
		return true, fmt.Errorf("end dyno %s: %w", name, err)
	}
	return true, nil
}

// find inspects a container of this platform; nil when there is none. One that
// is not the platform's counts as none, whoever made up its id.
func (e *Engine) find(ctx context.Context, id string) (*session, *container.InspectResponse, error) {
	api, err := e.api(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := api.ContainerInspect(ctx, id)
	switch {
	case cerrdefs.IsNotFound(err):
		return api, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("inspect container %s: %w", head(id, 12), e.fault(err))
	case c.Config == nil || c.State == nil || c.Config.Labels[labelPlatform] != e.platform:
		return api, nil, nil
	}
	return api, &c, nil
}

// sigterm sends SIGTERM and waits for the end, up to grace. That it did not
// come is no error.
func (e *Engine) sigterm(ctx context.Context, api *session, id string, grace time.Duration) error {
	err := api.ContainerKill(ctx, id, "SIGTERM")
	switch {
	case err == nil:
		return e.awaitEnd(ctx, api, id, grace)
	case gone(err), notRunning(err):
		return nil
	}
	return e.fault(err)
}

func (e *Engine) awaitEnd(ctx context.Context, api *session, id string, grace time.Duration) error {
	waitCtx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	// Exactly one of the two comes, also when waitCtx ends; a select with
	// waitCtx.Done() beside them would leak the sender.
	ended, failed := api.ContainerWait(waitCtx, id, container.WaitConditionNotRunning)
	select {
	case <-ended:
		return nil
	case err := <-failed:
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded), gone(err):
			return nil
		}
		return e.fault(err)
	}
}

// remove ends the container when it still runs, with SIGKILL, and removes it
// with the volumes that its image declares.
func (e *Engine) remove(ctx context.Context, api *session, id string) error {
	err := api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !gone(err) {
		return e.fault(err)
	}
	return nil
}
