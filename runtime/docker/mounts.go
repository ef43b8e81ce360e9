package docker

import (
	"context"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// disks finds the volumes of a dyno's disks, by their paths. One that is missing
// is not made: a dyno with an empty disk would take its data for lost, and begin
// anew. Whoever keeps the disk brings it back, or has the app released without.
func (e *Engine) disks(ctx context.Context, mounts []engine.Mount) (map[string]docker.Volume, error) {
	if len(mounts) == 0 {
		return nil, nil
	}
	all := map[string]docker.Volume{}
	for _, m := range mounts {
		d, err := e.docker.FindDisk(ctx, m.Volume)
		if renga.KindOf(err) == renga.NotFound {
			return nil, renga.Errorf(renga.Unavailable, "the disk for %s is not there: Docker has no volume %s. It is made again, empty, "+
				"only when its add-on is", m.Path, m.Volume)
		}
		if err != nil {
			return nil, err
		}
		// What the image has at that place would be copied into an empty disk, once: a
		// later image's would never be seen.
		v := d.Volume.Bare()
		if m.ReadOnly {
			v = v.ReadOnly()
		}
		all[m.Path] = v
	}
	return all, nil
}
