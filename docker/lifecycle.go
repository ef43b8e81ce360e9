package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Start starts the container. Command is what its errors call what it runs; empty
// means that it is the image's own.
func (c *Container) Start(ctx context.Context, command string) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	if err := api.ContainerStart(ctx, c.ID, container.StartOptions{}); err != nil {
		return c.client.startFault(err, command)
	}
	return nil
}

// Kill ends the container at once with SIGKILL, and keeps it. That it does not
// run is no error.
func (c *Container) Kill(ctx context.Context) error { return c.signal(ctx, "SIGKILL") }

// Terminate sends SIGTERM, or what its image or Spec says instead, and waits for
// the end, up to grace. That it did not come is no error. The waiting is done here and not in the daemon, whose grace
// counts whole seconds and goes on when nobody wants it any more.
func (c *Container) Terminate(ctx context.Context, grace time.Duration) error {
	if err := c.signal(ctx, c.stopSignal); err != nil {
		return err
	}
	return c.AwaitEnd(ctx, grace)
}

func (c *Container) signal(ctx context.Context, signal string) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	err = api.ContainerKill(ctx, c.ID, signal)
	if err != nil && !gone(err) && !notRunning(err) {
		return c.client.fault(err)
	}
	return nil
}

// AwaitEnd waits for the container's end, up to timeout. That it did not come
// is no error.
func (c *Container) AwaitEnd(ctx context.Context, timeout time.Duration) error {
	waitCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.wait(waitCtx)
	switch {
	case ctx.Err() != nil && err != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), gone(err):
		return nil
	}
	return c.client.fault(err)
}

// Wait waits for the container's end, and gives its exit code.
func (c *Container) Wait(ctx context.Context) (int, error) {
	end, err := c.wait(ctx)
	if err == nil && end.Error != nil {
		err = errors.New(end.Error.Message)
	}
	if err != nil {
		return 0, fmt.Errorf("wait for container: %w", c.client.fault(err))
	}
	return int(end.StatusCode), nil
}

func (c *Container) wait(ctx context.Context) (container.WaitResponse, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return container.WaitResponse{}, err
	}
	// Exactly one of the two comes, also when ctx ends; a select with ctx.Done()
	// beside them would leak the sender.
	ended, failed := api.ContainerWait(ctx, c.ID, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		return end, nil
	case err := <-failed:
		return container.WaitResponse{}, err
	}
}

// Remove ends the container when it still runs, with SIGKILL, and removes it
// with the volumes that its image declares. Those of its Spec stay. That it is
// gone is no error.
func (c *Container) Remove(ctx context.Context) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	return c.client.remove(ctx, api, c.ID)
}

// RemoveAll removes every container of a kind that has all those labels, as Remove
// does.
func (c *Client) RemoveAll(ctx context.Context, kind Kind, labels ...Label) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	left, err := c.ids(ctx, api, kind, c.ours(labels...))
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := c.remove(ctx, api, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) remove(ctx context.Context, api *session, id string) error {
	err := api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !gone(err) {
		return c.fault(err)
	}
	return nil
}
