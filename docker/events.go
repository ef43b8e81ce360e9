package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/events"
)

// Event is something that happened to a container.
type Event struct {
	ID     string
	Labels map[string]string
	// OutOfMemory says that one of its processes was killed for lack of memory.
	OutOfMemory bool
}

// Watch tells when a container of a kind starts, ends, is removed, runs out of
// memory, or changes its health. It returns when ctx ends or the connection
// breaks.
func (c *Client) Watch(ctx context.Context, kind Kind, tell func(Event)) error {
	// Whoever watches anew has lost the daemon; it may be another one now.
	if err := c.Ping(ctx); err != nil {
		return err
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the library's reader
	which := c.ours()
	which.Add("type", string(events.ContainerEventType))
	for _, action := range []events.Action{
		events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionDestroy, events.ActionHealthStatus,
	} {
		which.Add("event", string(action))
	}
	messages, failed := api.Events(ctx, events.ListOptions{Filters: which})
	for {
		select {
		case m := <-messages: // its attributes are the container's labels, and more
			if kindOf(m.Actor.Attributes) != kind {
				continue
			}
			tell(Event{ID: m.Actor.ID, Labels: m.Actor.Attributes, OutOfMemory: m.Action == events.ActionOOM})
		case err := <-failed:
			return fmt.Errorf("watch docker: %w", c.fault(err))
		}
	}
}
