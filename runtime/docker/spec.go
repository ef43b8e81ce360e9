package docker

import (
	"math"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/strslice"

	"renga"
	"renga/runtime/engine"
)

// capabilities are what a dyno's root may do: change owners and users inside
// its own image, and bind a low port. Docker's default set without raw sockets,
// device nodes, chroot, audit, file capabilities.
var capabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE",
}

const (
	// cpuPeriod in microseconds is the kernel's default. A quota is used and
	// not NanoCPUs, for with those Docker refuses a size with more processors
	// than the machine has.
	cpuPeriod = 100_000
	// oomScore lets a machine out of memory kill dynos before Docker, Redis
	// and the platform.
	oomScore = 500
)

// plan is all that ContainerCreate takes.
type plan struct {
	name    string
	config  *container.Config
	host    *container.HostConfig
	network *network.NetworkingConfig
}

// plan turns a spec into a container. It is pure. imageID and networkID are
// the daemon's ids.
func (e *Engine) plan(s engine.Spec, imageID, networkID string) (plan, error) {
	labels, err := e.dynoLabels(s)
	if err != nil {
		return plan{}, err
	}
	p := plan{
		name: containerName(s),
		config: &container.Config{
			Hostname:   hostname(s.Name),
			Image:      imageID,
			Entrypoint: s.Image.Command, // set, it makes Docker ignore the image's command
			Cmd:        nil,
			Env:        environ(s.Env),
			Labels:     labels,
			// The image's own check is meant for its web process.
			Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			// As on Heroku, which heeds no image's STOPSIGNAL: docs/dynos.md says why.
			StopSignal: "SIGTERM",
		},
		host:    e.hostConfig(s, networkID),
		network: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{networkID: {}}},
	}
	if s.Attach != nil {
		p.attach(*s.Attach)
	}
	return p, nil
}

// attach gives the container's input and output to one client. Nothing of them
// is kept.
func (p *plan) attach(a engine.Attach) {
	p.config.AttachStdin, p.config.AttachStdout, p.config.AttachStderr = true, true, true
	p.config.OpenStdin, p.config.StdinOnce = true, true
	p.host.LogConfig = container.LogConfig{Type: "none"}
	if a.Terminal != nil {
		p.config.Tty = true
		p.host.ConsoleSize = [2]uint{uint(a.Terminal.Rows), uint(a.Terminal.Columns)} // Engine 23 and newer
	}
}

func (e *Engine) hostConfig(s engine.Spec, networkID string) *container.HostConfig {
	init := !s.NoInit
	return &container.HostConfig{
		NetworkMode: container.NetworkMode(networkID),
		// The dyno manager alone restarts.
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		Init:          &init,
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": strconv.FormatInt(e.logMax, 10), "max-file": "2",
		}},
		SecurityOpt: []string{"no-new-privileges"},
		CapDrop:     strslice.StrSlice{"ALL"},
		CapAdd:      strslice.StrSlice(capabilities),
		OomScoreAdj: oomScore,
		Resources:   resources(s.Size),
		StorageOpt:  e.quotas(s.Size),
	}
}

// overuse is how many times its memory a dyno may use before it is killed, as on
// Heroku: what uses more than once is told so (R14), and is the first to give
// when the machine runs short.
const overuse = 2

// resources are the limits of a size. What it leaves at 0 is not limited.
func resources(size renga.Size) container.Resources {
	most := overuse * size.MemoryBytes
	// Swap is part of the second number: the same means none.
	r := container.Resources{Memory: most, MemorySwap: most, MemoryReservation: size.MemoryBytes}
	if size.CPUs > 0 {
		r.CPUPeriod = cpuPeriod
		// The kernel's least quota is a millisecond.
		r.CPUQuota = max(1000, int64(math.Round(size.CPUs*cpuPeriod)))
	}
	if size.Pids > 0 {
		r.PidsLimit = &size.Pids
	}
	return r
}

// environ is the dyno's environment and one variable of the init's, which
// makes it hand signals to the whole process group: Heroku's SIGTERM reaches
// all processes.
func environ(env renga.Vars) []string {
	list := make([]string, 0, len(env)+1)
	for _, name := range env.Names() {
		list = append(list, name+"="+env[name])
	}
	if _, set := env["TINI_KILL_PROCESS_GROUP"]; !set {
		list = append(list, "TINI_KILL_PROCESS_GROUP=1")
	}
	return list
}

// containerName is for people who look at docker ps, for instance
// renga-blog-web.1-0123abcd.
func containerName(s engine.Spec) string {
	return "renga-" + s.AppName + "-" + s.Name + "-" + head(strings.ReplaceAll(s.Dyno, "-", ""), 8)
}

// hostname makes a dyno's name a host name: web.1 is web-1.
func hostname(name string) string {
	return head(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name), 63)
}

func head(s string, n int) string {
	return s[:min(len(s), n)]
}
