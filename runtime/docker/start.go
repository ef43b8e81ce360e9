package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// Start implements [engine.Engine].
func (e *Engine) Start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	in, err := e.start(ctx, s)
	if err != nil {
		return engine.Instance{}, fmt.Errorf("start dyno %s of %s: %w", s.Name, s.AppName, err)
	}
	return in, nil
}

func (e *Engine) start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	made, err := e.resolve(ctx, s)
	if err != nil {
		return engine.Instance{}, err
	}
	// The daemon does not stop creating when the asker goes away. So from here
	// to the end it is done whole; each call is bounded all the same.
	ctx = context.WithoutCancel(ctx)
	in, err := e.run(ctx, s, made)
	if err != nil {
		e.discard(ctx, s)
	}
	return in, err
}

// resolve sees to all that a container needs, and says what it is to be.
func (e *Engine) resolve(ctx context.Context, s engine.Spec) (docker.Spec, error) {
	if len(s.Image.Command) == 0 || s.Image.Command[0] == "" {
		return docker.Spec{}, renga.Errorf(renga.Invalid,
			"The image of %s has no command; set an ENTRYPOINT or CMD and push again.", s.Type)
	}
	imageID, err := e.docker.Image(ctx, docker.ReleaseImage{
		App: s.App, AppName: s.AppName, Release: s.Release, Image: s.Image,
	})
	if err != nil {
		return docker.Spec{}, err
	}
	networkID, err := e.docker.Network(ctx, s.App, s.AppName)
	if err != nil {
		return docker.Spec{}, err
	}
	c, err := e.container(s, imageID, networkID)
	if err != nil {
		return docker.Spec{}, err
	}
	if c.Volumes, err = e.disks(ctx, s.Mounts); err != nil {
		return docker.Spec{}, err
	}
	if s.Type == renga.Web && s.Attach == nil {
		// The image's own check is meant for its web process.
		if c.Check, err = e.imageCheck(ctx, imageID); err != nil {
			return docker.Spec{}, err
		}
	}
	return c, ctx.Err()
}

// run creates and starts the container.
func (e *Engine) run(ctx context.Context, s engine.Spec, c docker.Spec) (engine.Instance, error) {
	made, err := e.create(ctx, s, c)
	if err != nil {
		return engine.Instance{}, err
	}
	if err := made.Start(ctx, s.Image.Command[0]); err != nil {
		return engine.Instance{}, err
	}
	seen, err := e.docker.Inspect(ctx, made.ID)
	if err == nil && seen == nil {
		err = errRemoved
	}
	if err != nil {
		return engine.Instance{}, err
	}
	return instance(*seen), nil
}

// errRemoved says that somebody else removed a container. Another try may go
// well.
var errRemoved = errors.New("the container was removed while it started")

// create makes the container, and makes sure that its command can run.
func (e *Engine) create(ctx context.Context, s engine.Spec, c docker.Spec) (*docker.Container, error) {
	made, err := e.docker.Create(ctx, c)
	var limits *docker.LimitsError
	if errors.As(err, &limits) {
		return nil, &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot make a dyno of size " + strconv.Quote(s.Size.Name) + ": " + limits.Reason}
	}
	if err != nil {
		return nil, err
	}
	return made, made.CheckCommand(ctx, s.Image.Command[0])
}

// discard removes whatever there is of a dyno that did not start. It goes by
// the dyno's id and not by the container's, for that one may never have
// arrived. What cannot be removed now is listed as Created or Exited, and so
// comes up again.
func (e *Engine) discard(ctx context.Context, s engine.Spec) {
	if s.Dyno == "" {
		return
	}
	if err := e.docker.RemoveAll(ctx, docker.Dyno, docker.Label{Key: labelDynoID, Value: s.Dyno}); err != nil {
		e.log.Warn("dyno that did not start is left behind", "app", s.AppName, "dyno", s.Name, "err", err)
	}
}
