package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/strslice"

	"renga"
)

// DefaultLogMaxBytes is that of [Spec].
const DefaultLogMaxBytes = 10 << 20

// Spec is a container to be made.
type Spec struct {
	Kind       Kind   // always said: an image cannot make its containers pass for others
	Name       string // for people who look at docker ps
	Image      string // the daemon's id of it
	Hostname   string
	Command    []string          // instead of the image's entrypoint and command; none leaves it to the image
	Arguments  []string          // instead of the image's command, for its entrypoint; none leaves it to the image
	User       string            // name or number, with :group; empty leaves it to the image
	Env        []string          // NAME=value
	Labels     map[string]string // more; an image's own hold where they are not set here
	Network    string            // the id of its network; empty means that it has none yet, see [Container.Connect]
	Aliases    []string          // by which others in its network find it, beside its name
	Volumes    map[string]Volume // by where they are in the container
	Check      *Check            // nil for none, whatever the image has
	StopSignal string            // empty leaves it to the image
	Limits     Limits
	// NoCapabilities takes from it what a container's root may do, which also whoever
	// runs as another user might come by.
	NoCapabilities bool
	NoInit         bool // it is the first process itself, and not a child of Docker's init
	// NoForwarding keeps it from passing packets on from one of its networks to
	// another.
	NoForwarding bool
	ShmBytes     int64 // of memory that its processes share; 0 leaves it to Docker
	// LogMaxBytes is how much of its output is kept at most, in each of two files. 0
	// means DefaultLogMaxBytes.
	LogMaxBytes int64
	// Attached gives its input and output to one client, see [Container.Attach], and
	// nothing of them is kept. With a Terminal it has one.
	Attached bool
	Terminal *renga.Window
}

// Limits are what a container may use. What is 0 is not limited.
type Limits struct {
	MemoryBytes   int64 // what uses more is killed
	ReservedBytes int64 // what uses more is the first to give when the machine runs short
	CPUs          float64
	CPUShares     int64 // its part of the processors when all are busy: others have 1024; 0 is that, too
	Pids          int64
	DiskBytes     int64 // where the daemon's storage driver can enforce it
	OOMScore      int   // how soon the kernel kills it when the machine has no memory left
}

// LimitsError says that the daemon cannot make a container with such limits. It
// is of kind renga.Invalid.
type LimitsError struct {
	Reason string // in the daemon's words
	err    *renga.Error
}

// Error is a sentence.
func (e *LimitsError) Error() string { return e.err.Message }

// Unwrap gives the error with its kind.
func (e *LimitsError) Unwrap() error { return e.err }

// capabilities are what a container's root may do: change owners and users
// inside its own image, and bind a low port. Docker's default set without raw
// sockets, device nodes, chroot, audit, file capabilities.
var capabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE",
}

// cpuPeriod in microseconds is the kernel's default. A quota is used and not
// NanoCPUs, for with those Docker refuses more processors than the machine has.
const cpuPeriod = 100_000

// noNetwork is Docker's network for containers that have none.
const noNetwork = "none"

// Create makes a container and does not start it. None has more rights than its
// work needs, and none is restarted by the daemon.
func (c *Client) Create(ctx context.Context, s Spec) (*Container, error) {
	if s.Kind == "" {
		return nil, errors.New("create container: it has no kind")
	}
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	config, host := c.config(s), c.hostConfig(s)
	attached := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		string(host.NetworkMode): {Aliases: s.Aliases},
	}}
	made, err := api.ContainerCreate(ctx, config, host, attached, nil, s.Name)
	if err != nil && c.withoutQuotas(err, host) {
		made, err = api.ContainerCreate(ctx, config, host, attached, nil, s.Name)
	}
	if err != nil {
		return nil, c.createFault(err, s)
	}
	if s.Network == "" { // as long as it is in this one it cannot be connected to any
		if err := api.NetworkDisconnect(ctx, noNetwork, made.ID, false); err != nil {
			return nil, fmt.Errorf("take container from no network: %w", c.fault(err))
		}
	}
	seen, err := api.ContainerInspect(ctx, made.ID)
	if err != nil {
		return nil, c.fault(err)
	}
	return c.container(seen), nil
}

func (c *Client) config(s Spec) *container.Config {
	labels := c.owned(s.Labels)
	labels[LabelKind] = string(s.Kind)
	return &container.Config{
		Hostname:   s.Hostname,
		Image:      s.Image,
		Entrypoint: s.Command, // set, it makes Docker ignore the image's command
		Cmd:        s.Arguments,
		User:       s.User,
		Env:        s.Env,
		Labels:     labels,
		// Without this the image's own would be made.
		Healthcheck:  healthConfig(s.Check),
		StopSignal:   s.StopSignal,
		AttachStdin:  s.Attached,
		AttachStdout: s.Attached,
		AttachStderr: s.Attached,
		OpenStdin:    s.Attached,
		StdinOnce:    s.Attached,
		Tty:          s.Terminal != nil,
	}
}

func (c *Client) hostConfig(s Spec) *container.HostConfig {
	init := !s.NoInit
	h := &container.HostConfig{
		NetworkMode:   container.NetworkMode(cmp.Or(s.Network, noNetwork)),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		Init:          &init,
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": strconv.FormatInt(cmp.Or(s.LogMaxBytes, DefaultLogMaxBytes), 10), "max-file": "2",
		}},
		SecurityOpt: []string{"no-new-privileges"},
		CapDrop:     strslice.StrSlice{"ALL"},
		CapAdd:      strslice.StrSlice(capabilities),
		OomScoreAdj: s.Limits.OOMScore,
		Mounts:      mounts(s.Volumes),
		Resources:   resources(s.Limits),
		StorageOpt:  c.quotas(s.Limits),
		ShmSize:     s.ShmBytes,
	}
	if s.NoCapabilities {
		h.CapAdd = nil
	}
	if s.Attached {
		h.LogConfig = container.LogConfig{Type: "none"}
	}
	if s.NoForwarding {
		h.Sysctls = map[string]string{"net.ipv4.ip_forward": "0"} // a new one has the machine's, which is 1
	}
	if s.Terminal != nil {
		h.ConsoleSize = [2]uint{uint(s.Terminal.Rows), uint(s.Terminal.Columns)} // Engine 23 and newer
	}
	return h
}

func mounts(volumes map[string]Volume) []mount.Mount {
	var all []mount.Mount
	for path, v := range volumes {
		m := mount.Mount{Type: mount.TypeVolume, Source: v.name, Target: path, ReadOnly: v.readOnly}
		if v.bare {
			m.VolumeOptions = &mount.VolumeOptions{NoCopy: true}
		}
		all = append(all, m)
	}
	return all
}

func resources(l Limits) container.Resources {
	// Swap is part of the second number: the same means none.
	r := container.Resources{Memory: l.MemoryBytes, MemorySwap: l.MemoryBytes, MemoryReservation: l.ReservedBytes}
	r.CPUShares = l.CPUShares
	if l.CPUs > 0 {
		r.CPUPeriod = cpuPeriod
		// The kernel's least quota is a millisecond.
		r.CPUQuota = max(1000, int64(math.Round(l.CPUs*cpuPeriod)))
	}
	if l.Pids > 0 {
		r.PidsLimit = &l.Pids
	}
	return r
}

// quotas are the storage options of a container, where the daemon's storage
// driver enforces a bound: overlay2 on XFS with project quotas, btrfs, zfs. What
// runs in it is told then that its disk is full, and goes on.
func (c *Client) quotas(l Limits) map[string]string {
	if l.DiskBytes <= 0 || c.noQuotas.Load() {
		return nil
	}
	return map[string]string{"size": strconv.FormatInt(l.DiskBytes, 10)}
}

// withoutQuotas tells whether the daemon refused a container for its storage
// options, as drivers do that cannot enforce them. They are left out from then on,
// until the daemon is another one.
func (c *Client) withoutQuotas(err error, h *container.HostConfig) bool {
	if h.StorageOpt == nil ||
		!strings.Contains(err.Error(), "storage-opt") && !strings.Contains(err.Error(), "StorageOpt") {
		return false
	}
	c.noQuotas.Store(true)
	h.StorageOpt = nil
	return true
}

// aboutLimits knows what the daemon says of limits that it cannot make.
var aboutLimits = regexp.MustCompile(`(?i)\b(memory|cpus?|pids)\b.*(limit|range|reservation|period|quota)|` +
	`(limit|range|minimum|quota).*\b(memory|cpus?|pids)\b`)

// createFault sorts a refusal to create: it is the limits' fault or the image's.
func (c *Client) createFault(err error, s Spec) error {
	if cerrdefs.IsInvalidArgument(err) && !isVersionMismatch(err) && aboutLimits.MatchString(err.Error()) {
		return &LimitsError{err.Error(), &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot make a container with such limits: " + err.Error()}}
	}
	return c.startFault(err, strings.Join(s.Command[:min(len(s.Command), 1)], ""))
}
