package docker

import (
	"context"
	"fmt"

	"renga/docker"
	"renga/runtime/engine"
)

var _ engine.Stream = (*docker.Attachment)(nil)

// Prepare implements [engine.Attacher].
func (e *Engine) Prepare(ctx context.Context, s engine.Spec) (engine.Instance, engine.Stream, error) {
	in, stream, err := e.prepare(ctx, s)
	if err != nil {
		return engine.Instance{}, nil, fmt.Errorf("prepare dyno %s of %s: %w", s.Name, s.AppName, err)
	}
	return in, stream, nil
}

func (e *Engine) prepare(ctx context.Context, s engine.Spec) (engine.Instance, engine.Stream, error) {
	c, err := e.resolve(ctx, s)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	ctx = context.WithoutCancel(ctx) // as for start
	in, stream, err := e.attach(ctx, s, c)
	if err != nil {
		e.discard(ctx, s)
		return engine.Instance{}, nil, err
	}
	return in, stream, nil
}

// attach creates the container and attaches to it. That comes before its start,
// so that not a byte is missed.
func (e *Engine) attach(
	ctx context.Context, s engine.Spec, c docker.Spec,
) (engine.Instance, *docker.Attachment, error) {
	made, err := e.create(ctx, s, c)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	stream, err := made.Attach(ctx, s.Image.Command[0], s.Attach.Terminal)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	return instance(*made), stream, nil
}
