package buildpacks

import (
	"context"
	"io"

	"renga"
	"renga/builds"
	"renga/docker"
)

func cacheName(app renga.AppID) string { return "renga-build-cache-" + string(app) }

// cache gives the volume with what is kept of an app between its builds.
func (m *Maker) cache(ctx context.Context, app renga.App) (docker.Volume, error) {
	v, err := m.docker.Volume(ctx, cacheName(app.ID), map[string]string{docker.LabelAppName: app.Name})
	return v.Bare(), err
}

// trimCache removes what is kept of an app when a build, also one that failed, left more
// than may be kept. No container may have it any more.
func (m *Maker) trimCache(ctx context.Context, j builds.Job, cache docker.Volume, output io.Writer) {
	if m.CacheBytes <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	used, err := m.docker.VolumeSize(ctx, cache)
	if err == nil && used > m.CacheBytes {
		say(output, "       The cache has grown to %d MB; up to %d MB are kept. The next build begins with an empty one.",
			used>>20, m.CacheBytes>>20)
		err = m.Forget(ctx, j.App.ID)
	}
	if err != nil {
		m.Log.Warn("cache of an app not bounded; its next build does it", "app", j.App.ID, "err", err)
	}
}
