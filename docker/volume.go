package docker

import (
	"context"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"renga"
)

// Volume is one of the platform's. A Client gives it out, and no other than the
// platform's, so that no container gets somebody else's data.
type Volume struct{ name string }

// Volume makes a volume of that name when it is missing. It outlives containers,
// until RemoveVolume. One of that name that is not the platform's is in the way.
func (c *Client) Volume(ctx context.Context, name string, labels map[string]string) (Volume, error) {
	api, err := c.api(ctx)
	if err != nil {
		return Volume{}, err
	}
	have, err := api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: c.owned(labels)})
	if err != nil {
		return Volume{}, fmt.Errorf("make volume %s: %w", name, c.fault(err))
	}
	if have.Labels[LabelPlatform] != c.platform { // it was there, and is given as it is
		return Volume{}, renga.Errorf(renga.Unavailable,
			"A volume named %s that is not this platform's is in the way; remove it with docker volume rm.", name)
	}
	return Volume{name}, nil
}

// RemoveVolume removes a volume with all that is in it. It is an error as long as
// a container has it, and none when it is gone or not the platform's.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	have, err := api.VolumeInspect(ctx, name)
	if err == nil && have.Labels[LabelPlatform] == c.platform {
		err = api.VolumeRemove(ctx, name, false)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", name, c.fault(err))
	}
	return nil
}
