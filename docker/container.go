package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"golang.org/x/sync/errgroup"

	"renga"
)

// State is how far a container has come.
type State string

// The states, in their order.
const (
	Created  State = "created"
	Running  State = "running"
	Exited   State = "exited"
	Removing State = "removing" // it is being removed
)

// Container is one of the platform's, as the daemon told of it last. A Client
// gives it out, and no other than the platform's.
type Container struct {
	ID       string
	Image    string // the daemon's id of it
	Labels   map[string]string
	Env      []string
	Dir      string // where its command runs; empty means /
	State    State
	Pid      int // its first process, for a daemon on this machine; 0 when it does not run
	ExitCode int
	// OutOfMemory says that one of its processes was killed for lack of memory, be
	// it a child, long before its end.
	OutOfMemory  bool
	Health       Health
	HealthOutput string // what a failed check printed last
	// The times are zero for what did not happen yet.
	CreatedAt, StartedAt, FinishedAt time.Time
	// Layer is the folder of what it writes, on the daemon's machine, and Volumes
	// are those of the volumes that its image declares, which go with it. Some storage
	// drivers do not tell.
	Layer   string
	Volumes []string
	// Endpoints are where it is in networks, by their ids.
	Endpoints map[string]Endpoint

	client     *Client
	stopSignal string
}

// inspectors bounds how many containers are looked at in parallel.
const inspectors = 8

// Inspect tells of a container; nil when there is none. One that is not the
// platform's counts as none, whoever made up its id.
func (c *Client) Inspect(ctx context.Context, id string) (*Container, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := api.ContainerInspect(ctx, id)
	switch {
	case cerrdefs.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("inspect container %s: %w", shortID(id), c.fault(err))
	case !isComplete(seen) || seen.Config.Labels[LabelPlatform] != c.platform:
		return nil, nil
	}
	return c.container(seen), nil
}

// InspectRunning is Inspect for what can be done only with a container that runs.
// One that does not is renga.NotFound.
func (c *Client) InspectRunning(ctx context.Context, id string) (*Container, error) {
	seen, err := c.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.State != Running {
		return nil, notRunningError(id)
	}
	return seen, nil
}

func notRunningError(id string) error {
	return renga.Errorf(renga.NotFound, "Container %s does not run.", shortID(id))
}

// List tells of every container of a kind that has all those labels, exited ones
// included.
// Every one is inspected: the daemon's list alone knows neither exit codes nor
// when one was created or started to more than a second.
func (c *Client) List(ctx context.Context, kind Kind, labels ...Label) ([]Container, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.ids(ctx, api, kind, c.ours(labels...))
	if err != nil {
		return nil, err
	}
	seen := make([]container.InspectResponse, len(found))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inspectors)
	for i, id := range found {
		g.Go(func() error {
			var err error
			seen[i], err = api.ContainerInspect(gctx, id)
			if cerrdefs.IsNotFound(err) { // removed since it was listed
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("inspect containers: %w", c.fault(err))
	}
	return c.containers(seen), nil
}

// ListRunning gives the ids of those that run. It is one cheap call.
func (c *Client) ListRunning(ctx context.Context, kind Kind, labels ...Label) ([]string, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	running := c.ours(labels...)
	running.Add("status", "running")
	return c.ids(ctx, api, kind, running)
}

func (c *Client) ids(ctx context.Context, api *session, kind Kind, which filters.Args) ([]string, error) {
	found, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: which})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", c.fault(err))
	}
	ids := make([]string, 0, len(found))
	for _, f := range found {
		if kindOf(f.Labels) == kind {
			ids = append(ids, f.ID)
		}
	}
	return ids, nil
}

// containers leaves out what is gone, or is just going.
func (c *Client) containers(seen []container.InspectResponse) []Container {
	all := make([]Container, 0, len(seen))
	for _, s := range seen {
		if !isComplete(s) {
			continue
		}
		if one := c.container(s); one.State != Removing {
			all = append(all, *one)
		}
	}
	return all
}

func isComplete(c container.InspectResponse) bool {
	return c.ContainerJSONBase != nil && c.State != nil && c.Config != nil
}

func (c *Client) container(s container.InspectResponse) *Container {
	one := &Container{
		ID: s.ID, Image: s.Image, Labels: s.Config.Labels, Env: s.Config.Env, Dir: s.Config.WorkingDir,
		State: state(*s.State), Pid: s.State.Pid, ExitCode: s.State.ExitCode, OutOfMemory: s.State.OOMKilled,
		CreatedAt: timestamp(s.Created), StartedAt: timestamp(s.State.StartedAt), FinishedAt: timestamp(s.State.FinishedAt),
		Layer: s.GraphDriver.Data["UpperDir"], client: c, stopSignal: cmp.Or(s.Config.StopSignal, "SIGTERM"),
	}
	if one.State == Exited && one.FinishedAt.Before(one.StartedAt) {
		// The daemon notes a start after it, and an end by the kernel's time: what
		// ended at once ended before it had started.
		one.FinishedAt = one.StartedAt
	}
	one.Health, one.HealthOutput = health(s.State.Health)
	for _, m := range s.Mounts {
		if m.Type == "volume" && m.Source != "" && !outlives(m, s.HostConfig) {
			one.Volumes = append(one.Volumes, m.Source)
		}
	}
	if s.NetworkSettings != nil {
		one.Endpoints = endpoints(s.NetworkSettings.Networks)
	}
	return one
}

// outlives tells whether a volume is one of Spec.Volumes.
func outlives(m container.MountPoint, host *container.HostConfig) bool {
	return host != nil && slices.ContainsFunc(host.Mounts, func(asked mount.Mount) bool {
		return asked.Type == mount.TypeVolume && asked.Source == m.Name
	})
}

func state(s container.State) State {
	switch {
	case s.Status == container.StateCreated:
		return Created
	case s.Running || s.Paused || s.Restarting:
		return Running
	case s.Status == container.StateRemoving || s.Status == container.StateDead:
		return Removing
	}
	return Exited
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

// shortID is how people read a container's id.
func shortID(id string) string { return head(id, 12) }

func head(s string, n int) string {
	return s[:min(len(s), n)]
}
