package main

import (
	"context"
	"io"
	"time"

	"renga/builds"
	"renga/builds/buildpacks"
	"renga/output"
	"renga/registry"
	"renga/releaser"
)

// buildCacheBytes bounds what is kept of an app between its builds.
const buildCacheBytes = 2 << 30

// newBuilds makes what builds apps from their source code.
func (b base) newBuilds(rel *releaser.Releaser, reg *registry.Registry) *builds.Builds {
	s := b.settings
	maker := buildpacks.New(buildpacks.Options{
		Dir:         s.path("builds", "images"),
		Slots:       s.ParallelBuilds,
		MemoryBytes: s.BuildMemory,
		DiskBytes:   s.BuildDisk,
		CacheBytes:  buildCacheBytes,
		ImageBytes:  s.MaxImageSize,
		Log:         b.log,
	}, b.docker, baseImages{registry.NewBaseImages(s.path("builds", "bases"))})
	return builds.New(builds.Options{
		Dir:        s.path("builds", "sources"),
		Builder:    s.Builder,
		Parallel:   s.ParallelBuilds,
		Timeout:    s.BuildTimeout,
		MaxSource:  s.MaxSource,
		CheckSpace: func() error { return s.checkSpace(0) },
		Dial:       b.egress.Dial,
		Log:        b.log,
		Now:        time.Now,
	}, builds.Parts{
		Store:    b.db,
		Platform: b.db,
		Releases: rel,
		Registry: reg,
		Maker:    maker,
		Outputs:  output.New(output.Options{Dir: s.path("builds", "outputs")}),
		Logs:     b.logs,
	})
}

// newUploads makes what keeps sources that clients send before they have them built.
func (b base) newUploads() *builds.Uploads {
	return &builds.Uploads{
		Dir:        b.settings.path("builds", "uploads"),
		MaxBytes:   b.settings.MaxSource,
		MaxAll:     uploadsPerSource * b.settings.MaxSource,
		CheckSpace: func() error { return b.settings.checkSpace(0) },
		Now:        time.Now,
	}
}

// uploadsPerSource is how many of the largest sources may wait to be built at once.
const uploadsPerSource = 10

// baseImages are those that the registry keeps for builds.
type baseImages struct{ kept *registry.BaseImages }

func (i baseImages) Base(
	ctx context.Context, id string, save func(context.Context, io.Writer) error,
) (buildpacks.Base, error) {
	found, err := i.kept.Image(ctx, id, save)
	return buildpacks.Base{MediaType: found.MediaType, Manifest: found.Manifest, Config: found.Config, Open: found.Open}, err
}
