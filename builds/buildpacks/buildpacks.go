// Package buildpacks makes images of source code with Cloud Native Buildpacks: it runs the
// lifecycle of a builder's image in a container, with limits and in a network where it
// reaches the internet and nothing of the platform.
//
// The lifecycle writes the image as an OCI layout into its container (platform spec,
// "OCI layout"), so that a build needs no credentials and no registry. The image that it
// builds on, and the one of the release before, are there without their layers, which only
// the registry has.
package buildpacks

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"renga"
	"renga/builds"
	"renga/docker"
)

const (
	// kind is that of the containers of builds.
	kind docker.Kind = "build"
	// creator is the lifecycle's command that does all phases.
	creator = "/cnb/lifecycle/creator"
	// maxPids bounds the processes of a build.
	maxPids = 4096
	// cpuShares is the part of a busy processor that builds get beside dynos, which have 1024.
	cpuShares = 256
	// oomScore has the kernel end builds before dynos.
	oomScore = 600
	// removeTimeout bounds the removal of a container whose build may be cancelled.
	removeTimeout = time.Minute
)

// Bases keep the images that builds build on.
type Bases interface {
	// Base gives an image by the engine's id of it. If it is not kept yet, save writes it as
	// docker save does.
	Base(ctx context.Context, id string, save func(context.Context, io.Writer) error) (Base, error)
}

// Base is an image that builds build on.
type Base struct {
	MediaType        string // of the manifest
	Manifest, Config []byte
	// Open opens a blob; fs.ErrNotExist if the image has none of that digest.
	Open func(digest string) (io.ReadCloser, error)
}

// Options are a Maker's settings.
type Options struct {
	// Dir is where images are until they are pushed.
	Dir string
	// Slots is how many builds may be under way at once, each in a network of its own.
	Slots int
	// MemoryBytes and DiskBytes bound one build, CacheBytes what is kept of an app between
	// its builds, ImageBytes the new layers of an image.
	MemoryBytes, DiskBytes, CacheBytes, ImageBytes int64
	Log                                            *slog.Logger
}

// Maker makes images.
type Maker struct {
	Options
	docker *docker.Client
	bases  Bases
	slots  chan int
}

// New makes a Maker.
func New(o Options, d *docker.Client, b Bases) *Maker {
	m := &Maker{Options: o, docker: d, bases: b, slots: make(chan int, o.Slots)}
	for n := range o.Slots {
		m.slots <- n + 1
	}
	return m
}

// Make implements [builds.Maker].
func (m *Maker) Make(ctx context.Context, j builds.Job, output io.Writer) (builds.Image, error) {
	slot := 0
	select {
	case slot = <-m.slots:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { m.slots <- slot }()
	say(output, "-----> Building on the %s stack", j.Build.Builder)
	b, err := m.builder(ctx, j.Build.Builder, output)
	if err != nil {
		return nil, err
	}
	order, err := b.order(j.Build.Buildpacks)
	if err != nil {
		return nil, err
	}
	base, err := m.base(ctx, b, output)
	if err != nil {
		return nil, err
	}
	cache, err := m.cache(ctx, j.App)
	if err != nil {
		return nil, err
	}
	defer m.trimCache(ctx, j, cache, output) // when the container is gone
	in := inputs{job: j, builder: b, base: base, previous: m.previous(ctx, j), order: order}
	c, err := m.create(ctx, in, cache, slot)
	if err != nil {
		return nil, err
	}
	defer m.remove(ctx, c)
	if err := c.WriteTree(ctx, in.write); err != nil {
		return nil, err
	}
	if err := m.run(ctx, c, cache, output); err != nil {
		return nil, err
	}
	return m.take(ctx, j, c, base)
}

// RemoveLeftovers implements [builds.Maker].
func (m *Maker) RemoveLeftovers(ctx context.Context) error {
	if err := clearFolder(m.Dir); err != nil {
		return err
	}
	return m.docker.RemoveAll(ctx, kind)
}

// Forget implements [builds.Maker].
func (m *Maker) Forget(ctx context.Context, app renga.AppID) error {
	return m.docker.RemoveVolume(ctx, cacheName(app))
}

// base gives the image that the builder's images run on.
func (m *Maker) base(ctx context.Context, b builder, output io.Writer) (Base, error) {
	run, err := m.image(ctx, b.runImage, "The builder "+b.name+" builds for the run image of that name.", output)
	if err != nil {
		return Base{}, err
	}
	return m.bases.Base(ctx, run.ID, func(ctx context.Context, w io.Writer) error { return m.docker.SaveImage(ctx, run.ID, w) })
}

// image gives an image by its name, and tells of its pull. Hint is a sentence that says
// what it is for, if it cannot be had.
func (m *Maker) image(ctx context.Context, name, hint string, output io.Writer) (docker.NamedImage, error) {
	told := false
	found, err := m.docker.ImageByName(ctx, name, func(_, total int64) {
		if !told {
			told = true
			say(output, "       Pulling %s (%d MB or more), which is done once...", name, total>>20)
		}
	})
	if sentence := renga.MessageOf(err, ""); sentence != "" {
		err = &renga.Error{Kind: renga.KindOf(err), Message: sentence + " " + hint, Err: err}
	}
	return found, err
}

// create makes the container of a build.
func (m *Maker) create(ctx context.Context, in inputs, cache docker.Volume, slot int) (*docker.Container, error) {
	j, b := in.job, in.builder
	// No app has such an id, and no other platform on this machine has it, too.
	place := renga.AppID(fmt.Sprintf("%s-%d", m.docker.BridgePrefix(), slot))
	network, err := m.docker.Network(ctx, place, "builds")
	if err != nil {
		return nil, err
	}
	argv := []string{
		creator, "-app=" + workspace, "-layers=" + layersDir, "-platform=" + platformDir, "-cache-dir=" + cacheDir,
		"-report=" + layersDir + "/report.toml", "-layout", "-layout-dir=" + layoutDir, "-run-image=" + runRef, "-no-color",
	}
	if in.order != "" {
		argv = append(argv, "-order="+platformDir+"/order.toml")
	}
	if in.previous != nil {
		argv = append(argv, "-previous-image="+previousRef)
	}
	return m.docker.Create(ctx, docker.Spec{
		Kind: kind, Name: "renga-build-" + j.Build.ID, Image: b.id, User: fmt.Sprintf("%d:%d", b.uid, b.gid), Command: append(argv, appRef),
		Env:     []string{"CNB_PLATFORM_API=" + b.platformAPI, "CNB_EXPERIMENTAL_MODE=quiet"},
		Labels:  map[string]string{"renga.build": j.Build.ID, docker.LabelAppName: j.App.Name},
		Network: network, Volumes: map[string]docker.Volume{cacheDir: cache}, NoForwarding: true, NoCapabilities: true,
		Limits: docker.Limits{
			MemoryBytes: m.MemoryBytes, Pids: maxPids, DiskBytes: m.DiskBytes, OOMScore: oomScore, CPUShares: cpuShares,
		},
	})
}

// remove removes the container, whatever became of the build.
func (m *Maker) remove(ctx context.Context, c *docker.Container) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := c.Remove(ctx); err != nil {
		m.Log.Warn("container of a build not removed; the next start does it", "container", c.ID, "err", err)
	}
}

// say writes a line. That it could not be written shows when the builder's own are.
func say(output io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(output, format+"\n", args...)
}
