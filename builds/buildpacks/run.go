package buildpacks

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
	"renga/docker"
)

// diskInterval is how often the disk of a build is looked at, where the daemon does not
// bound it by itself.
const diskInterval = 3 * time.Second

// errOverDisk ends a build that writes too much.
var errOverDisk = errors.New("the build writes too much")

// run runs the lifecycle to its end, with its output.
func (m *Maker) run(ctx context.Context, c *docker.Container, cache docker.Volume, output io.Writer) error {
	began := time.Now()
	if err := c.Start(ctx, creator); err != nil {
		return err
	}
	g, running := errgroup.WithContext(ctx)
	over := make(chan struct{})
	g.Go(func() error { return m.follow(running, c, began, output) })
	g.Go(func() error { return m.guardDisk(running, c, cache, over) })
	code := 0
	g.Go(func() (err error) {
		defer close(over)
		code, err = c.Wait(running)
		return err
	})
	err := g.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errOverDisk):
		return renga.Errorf(renga.Invalid, "The build wrote more than %d MB and was ended.", m.DiskBytes>>20)
	case err != nil:
		return err
	case code == 0:
		return nil
	}
	return m.failure(ctx, c, code)
}

// follow passes on what the container prints. Of a build that prints faster than is followed
// Docker rotates some away, and that is lost.
func (m *Maker) follow(ctx context.Context, c *docker.Container, began time.Time, output io.Writer) error {
	var failed error
	err := c.Follow(ctx, began.Add(-time.Second), func(p docker.Printed) {
		if failed != nil || strings.Contains(p.Text, "experimental feature") {
			return
		}
		text := p.Text
		if !p.More {
			text += "\n"
		}
		_, failed = io.WriteString(output, text)
	})
	return errors.Join(failed, err)
}

// guardDisk ends a build that writes more than it may.
func (m *Maker) guardDisk(ctx context.Context, c *docker.Container, cache docker.Volume, over <-chan struct{}) error {
	if m.DiskBytes <= 0 {
		return nil
	}
	next := time.NewTimer(diskInterval)
	defer next.Stop()
	for {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
		began := time.Now()
		if used, err := m.written(ctx, c, cache); err == nil && used > m.DiskBytes {
			return errOverDisk
		}
		next.Reset(max(diskInterval, 4*time.Since(began))) // many files take long to measure
	}
}

// written is how many bytes a build has on the disk by now. What may be kept of the cache
// does not count.
func (m *Maker) written(ctx context.Context, c *docker.Container, cache docker.Volume) (int64, error) {
	own, err := m.docker.Size(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	kept, err := m.docker.VolumeSize(ctx, cache)
	return own + max(0, kept-m.CacheBytes), err
}

// failure says why a build ended as it did (platform spec, "Exit codes").
func (m *Maker) failure(ctx context.Context, c *docker.Container, code int) error {
	now, err := m.docker.Inspect(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case now != nil && now.OutOfMemory:
		return renga.Errorf(renga.Invalid, "The build used more than %d MB of memory and was ended.", m.MemoryBytes>>20)
	case now == nil || code == 137:
		return renga.Errorf(renga.Unavailable, "The build was ended from outside. Try again.")
	case code == 20 || code == 21 || code == 22:
		return renga.Errorf(renga.Invalid, "No buildpack of the builder knows how to build this: it looks for files such as "+
			"package.json, requirements.txt, Gemfile or pom.xml. Add one, or choose with heroku buildpacks:set.")
	case code >= 50 && code < 60:
		return renga.Errorf(renga.Invalid, "A buildpack failed; the build's output says why.")
	}
	return renga.Errorf(renga.Invalid, "The builder failed with status %d; the build's output says why.", code)
}
