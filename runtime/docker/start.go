package docker

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"renga"
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
	p, err := e.ready(ctx, s)
	if err != nil {
		return engine.Instance{}, err
	}
	// The daemon does not stop creating when the asker goes away. So from here
	// to the end it is done whole; answerTimeout still bounds it.
	ctx = context.WithoutCancel(ctx)
	in, err := e.run(ctx, s, p)
	if err != nil {
		e.discard(ctx, s)
	}
	return in, err
}

// ready sees to all that a container needs, and says what it is to be.
func (e *Engine) ready(ctx context.Context, s engine.Spec) (plan, error) {
	if len(s.Image.Command) == 0 || s.Image.Command[0] == "" {
		return plan{}, renga.Errorf(renga.Invalid, "The image of %s has no command; set an ENTRYPOINT or CMD and push again.", s.Type)
	}
	imageID, err := e.image(ctx, s)
	if err != nil {
		return plan{}, err
	}
	networkID, err := e.network(ctx, s)
	if err != nil {
		return plan{}, err
	}
	p, err := e.plan(s, imageID, networkID)
	if err != nil {
		return plan{}, err
	}
	if s.Type == renga.Web && s.Attach == nil {
		if p.config.Healthcheck, err = e.imageCheck(ctx, imageID); err != nil {
			return plan{}, err
		}
	}
	return p, ctx.Err()
}

// run creates and starts the container.
func (e *Engine) run(ctx context.Context, s engine.Spec, p plan) (engine.Instance, error) {
	api, err := e.api(ctx)
	if err != nil {
		return engine.Instance{}, err
	}
	made, err := e.create(ctx, api, s, p)
	if err != nil {
		return engine.Instance{}, err
	}
	if err := api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return engine.Instance{}, e.startFault(err, s.Image.Command[0])
	}
	seen, err := api.ContainerInspect(ctx, made.ID)
	if err != nil {
		return engine.Instance{}, e.fault(err)
	}
	return instance(seen), nil
}

// create makes the container, and looks at it.
func (e *Engine) create(ctx context.Context, api *session, s engine.Spec, p plan) (container.InspectResponse, error) {
	made, err := api.ContainerCreate(ctx, p.config, p.host, p.network, nil, p.name)
	if err != nil && e.withoutQuotas(err, &p) {
		made, err = api.ContainerCreate(ctx, p.config, p.host, p.network, nil, p.name)
	}
	if err != nil {
		return container.InspectResponse{}, e.createFault(err, s)
	}
	seen, err := api.ContainerInspect(ctx, made.ID)
	if err != nil {
		return container.InspectResponse{}, e.fault(err)
	}
	return seen, e.checkCommand(ctx, api, seen, s.Image.Command[0])
}

// aboutSize knows what the daemon says of limits that it cannot make.
var aboutSize = regexp.MustCompile(`(?i)\b(memory|cpus?|pids)\b.*(limit|range|reservation|period|quota)|(limit|range|minimum|quota).*\b(memory|cpus?|pids)\b`)

// createFault sorts a refusal to create: it is the size's fault or the image's.
func (e *Engine) createFault(err error, s engine.Spec) error {
	if cerrdefs.IsInvalidArgument(err) && !isVersionMismatch(err) && aboutSize.MatchString(err.Error()) {
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot make a dyno of size " + strconv.Quote(s.Size.Name) + ": " + err.Error()}
	}
	return e.startFault(err, s.Image.Command[0])
}

// discard removes whatever there is of a dyno that did not start. It goes by
// the dyno's id and not by the container's, for that one may never have
// arrived. What cannot be removed now is listed as Created or Exited, and so
// comes up again.
func (e *Engine) discard(ctx context.Context, s engine.Spec) {
	err := e.removeDyno(ctx, s.Dyno)
	if err != nil {
		e.log.Warn("dyno that did not start is left behind", "app", s.AppName, "dyno", s.Name, "err", err)
	}
}

func (e *Engine) removeDyno(ctx context.Context, dyno string) error {
	if dyno == "" {
		return nil
	}
	api, err := e.api(ctx)
	if err != nil {
		return err
	}
	left, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: e.ours(labelDynoID, dyno)})
	if err != nil {
		return e.fault(err)
	}
	for _, c := range left {
		if err := e.remove(ctx, api, c.ID); err != nil {
			return err
		}
	}
	return nil
}
