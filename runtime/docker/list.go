package docker

import (
	"context"
	"fmt"
	"net"
	"path"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// sigkilled is the exit code of what ended by SIGKILL.
const sigkilled = 128 + 9

// List implements [engine.Engine].
func (e *Engine) List(ctx context.Context, app renga.AppID) ([]engine.Instance, error) {
	var which []docker.Label
	if app != "" {
		which = append(which, docker.Label{Key: docker.LabelApp, Value: string(app)})
	}
	found, err := e.docker.List(ctx, docker.Dyno, which...)
	if err != nil {
		return nil, fmt.Errorf("list dynos: %w", err)
	}
	all := make([]engine.Instance, 0, len(found))
	for _, c := range found {
		all = append(all, instance(c))
	}
	return all, nil
}

func instance(c docker.Container) engine.Instance {
	in := fromLabels(c.Labels)
	in.ID = c.ID
	in.Dir = path.Join("/", c.Dir)
	in.CreatedAt = c.CreatedAt
	in.StartedAt = c.StartedAt
	switch c.State {
	case docker.Created:
		in.State = engine.Created
	case docker.Running:
		in.State = engine.Running
		in.Addr = address(c, in.App)
		in.Health, in.HealthSaid = engine.Health(c.Health), c.HealthOutput
	default:
		in.State = engine.Exited
		in.FinishedAt = c.FinishedAt
		in.ExitCode = c.ExitCode
		// The daemon says so too when it was a child, long before.
		in.OOMKilled = c.OutOfMemory && in.ExitCode == sigkilled
	}
	return in
}

// address is where a web dyno is reached: its address in the app's network,
// which this machine has a route to.
func address(c docker.Container, app renga.AppID) string {
	port, addr := c.Labels[labelPort], c.Addr(app)
	if port == "" || !addr.IsValid() {
		return ""
	}
	return net.JoinHostPort(addr.String(), port)
}
