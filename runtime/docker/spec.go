package docker

import (
	"strings"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

const (
	// oomScore lets a machine out of memory kill dynos before Docker, Redis
	// and the platform.
	oomScore = 500
	// overuse is how many times its memory a dyno may use before it is killed, as on
	// Heroku: what uses more than once is told so (R14), and is the first to give
	// when the machine runs short.
	overuse = 2
)

// container turns a dyno's spec into a container's. It is pure. imageID and
// networkID are the daemon's ids.
func (e *Engine) container(s engine.Spec, imageID, networkID string) (docker.Spec, error) {
	labels, err := dynoLabels(s)
	if err != nil {
		return docker.Spec{}, err
	}
	c := docker.Spec{
		Kind:     docker.Dyno,
		Name:     containerName(s),
		Hostname: hostname(s.Name),
		Image:    imageID,
		Network:  networkID,
		Command:  s.Image.Command,
		Env:      environ(s.Env),
		Labels:   labels,
		// As on Heroku, which heeds no image's STOPSIGNAL: docs/dynos.md says why.
		StopSignal:  "SIGTERM",
		Limits:      limits(s.Size),
		NoInit:      s.NoInit,
		LogMaxBytes: e.logMax,
	}
	if s.Attach != nil {
		c.Attached, c.Terminal = true, s.Attach.Terminal
	}
	return c, nil
}

// limits are those of a size. What it leaves at 0 is not limited.
func limits(size renga.Size) docker.Limits {
	return docker.Limits{
		MemoryBytes: overuse * size.MemoryBytes, ReservedBytes: size.MemoryBytes,
		CPUs: size.CPUs, Pids: size.Pids, DiskBytes: size.DiskBytes, OOMScore: oomScore,
	}
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
