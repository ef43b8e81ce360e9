package docker

import (
	"context"

	"renga/docker"
	"renga/runtime/engine"
)

// Watch implements [engine.Engine].
func (e *Engine) Watch(ctx context.Context, tell func(engine.Event)) error {
	return e.docker.Watch(ctx, docker.Dyno, func(ev docker.Event) {
		in := fromLabels(ev.Labels)
		in.ID = ev.ID
		if in.App != "" {
			tell(engine.Event{App: in.App, OutOfMemory: ev.OutOfMemory, Instance: in})
		}
	})
}
