package docker

import (
	"context"
	"fmt"
	"net"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"renga"
	"renga/runtime/engine"
)

// sigkilled is the exit code of what ended by SIGKILL.
const sigkilled = 128 + 9

// inspectors bounds how many containers are looked at in parallel.
const inspectors = 8

// List implements [engine.Engine]. Every container is inspected: the list
// alone knows neither exit codes nor when one was created or started to more
// than a second, which is too coarse to tell whether that was before a restart
// was asked for.
func (e *Engine) List(ctx context.Context, app renga.AppID) ([]engine.Instance, error) {
	api, err := e.api(ctx)
	if err != nil {
		return nil, err
	}
	found, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: e.ours(labelApp, string(app))})
	if err != nil {
		return nil, fmt.Errorf("list dynos: %w", e.fault(err))
	}
	seen := make([]container.InspectResponse, len(found))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inspectors)
	for i, c := range found {
		g.Go(func() error {
			var err error
			seen[i], err = api.ContainerInspect(gctx, c.ID)
			if cerrdefs.IsNotFound(err) { // removed since it was listed
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("inspect dynos: %w", e.fault(err))
	}
	return instances(seen), nil
}

// instances leaves out what is gone, or is just going.
func instances(seen []container.InspectResponse) []engine.Instance {
	all := make([]engine.Instance, 0, len(seen))
	for _, c := range seen {
		if c.ContainerJSONBase == nil || c.State == nil || c.Config == nil {
			continue
		}
		if c.State.Status == container.StateRemoving || c.State.Status == container.StateDead {
			continue
		}
		all = append(all, instance(c))
	}
	return all
}

func instance(c container.InspectResponse) engine.Instance {
	in := fromLabels(c.Config.Labels)
	in.ID = c.ID
	in.Dir = absolute("/", c.Config.WorkingDir)
	in.CreatedAt = timestamp(c.Created)
	in.StartedAt = timestamp(c.State.StartedAt)
	switch {
	case c.State.Status == container.StateCreated:
		in.State = engine.Created
	case c.State.Running || c.State.Paused || c.State.Restarting:
		in.State = engine.Running
		in.Addr = address(c, in.App)
		in.Health, in.HealthSaid = health(c.State.Health)
	default:
		in.State = engine.Exited
		in.FinishedAt = timestamp(c.State.FinishedAt)
		in.ExitCode = c.State.ExitCode
		// The daemon says so too when it was a child, long before.
		in.OOMKilled = c.State.OOMKilled && in.ExitCode == sigkilled
	}
	return in
}

// address is where a web dyno is reached: its address in the app's network,
// which this machine has a route to.
func address(c container.InspectResponse, app renga.AppID) string {
	port := c.Config.Labels[labelPort]
	if port == "" || c.NetworkSettings == nil {
		return ""
	}
	own := c.NetworkSettings.Networks[networkName(app)]
	if own == nil || own.IPAddress == "" {
		return ""
	}
	return net.JoinHostPort(own.IPAddress, port)
}

// timestamp reads a time as the daemon writes it. It writes year 1 for never,
// which is Go's zero time; so is anything illegible.
func timestamp(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
