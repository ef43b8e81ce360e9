package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"renga/runtime/engine"
)

// Watch implements [engine.Engine].
func (e *Engine) Watch(ctx context.Context, tell func(engine.Event)) error {
	// Whoever watches anew has lost the daemon; it may be another one now.
	if err := e.Ping(ctx); err != nil {
		return err
	}
	api, err := e.api(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the library's reader
	messages, failed := api.Events(ctx, events.ListOptions{Filters: e.endings()})
	for {
		select {
		case m := <-messages:
			if m.Actor.Attributes[labelApp] != "" {
				tell(event(m))
			}
		case err := <-failed:
			return fmt.Errorf("watch docker: %w", e.fault(err))
		}
	}
}

// event is a message of the daemon's. It comes with the container's labels.
func event(m events.Message) engine.Event {
	in := fromLabels(m.Actor.Attributes)
	in.ID = m.Actor.ID
	return engine.Event{App: in.App, OutOfMemory: m.Action == events.ActionOOM, Instance: in}
}

func (e *Engine) endings() filters.Args {
	f := e.ours("", "")
	f.Add("type", string(events.ContainerEventType))
	for _, action := range []events.Action{events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionDestroy, events.ActionHealthStatus} {
		f.Add("event", string(action))
	}
	return f
}
