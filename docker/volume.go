package docker

import (
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"renga"
)

// Volume is one of the platform's. A Client gives it out, and no other than the
// platform's, so that no container gets somebody else's data.
type Volume struct {
	name           string
	readOnly, bare bool
}

// ReadOnly is the volume for containers that only read it.
func (v Volume) ReadOnly() Volume {
	v.readOnly = true
	return v
}

// Bare is the volume for containers whose image has no part in it. Otherwise
// Docker fills an empty one with what the image has in its place.
func (v Volume) Bare() Volume {
	v.bare = true
	return v
}

// Volume makes a volume of that name when it is missing. It outlives containers,
// until RemoveVolume. One of that name that is not the platform's is in the way.
func (c *Client) Volume(ctx context.Context, name string, labels map[string]string) (Volume, error) {
	return c.volume(ctx, name, labels, nil)
}

// volume is Volume, with options of Docker's driver.
func (c *Client) volume(ctx context.Context, name string, labels, options map[string]string) (Volume, error) {
	api, err := c.api(ctx)
	if err != nil {
		return Volume{}, err
	}
	have, err := c.createVolume(ctx, api, name, labels, options)
	if err == nil && len(have.Labels) == 0 && c.isEmptyVolume(ctx, name) {
		// The daemon made it, and lost its labels, for whoever asked was killed.
		if err = api.VolumeRemove(ctx, name, false); err == nil {
			have, err = c.createVolume(ctx, api, name, labels, options)
		}
	}
	if err != nil {
		return Volume{}, fmt.Errorf("make volume %s: %w", name, c.fault(err))
	}
	if have.Labels[LabelPlatform] != c.platform { // it was there, and is given as it is
		return Volume{}, renga.Errorf(renga.Unavailable,
			"A volume named %s that is not this platform's is in the way; remove it with docker volume rm.", name)
	}
	return Volume{name: name}, nil
}

// HasVolume tells whether there is a volume of that name that is the platform's.
func (c *Client) HasVolume(ctx context.Context, name string) (bool, error) {
	api, err := c.api(ctx)
	if err != nil {
		return false, err
	}
	have, err := api.VolumeInspect(ctx, name)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for volume %s: %w", name, c.fault(err))
	}
	return have.Labels[LabelPlatform] == c.platform, nil
}

// volumeTimeout bounds the making of a volume.
const volumeTimeout = 30 * time.Second

// createVolume does not stop when ctx ends: the daemon would make the volume, and
// not write down its labels.
func (c *Client) createVolume(ctx context.Context, api *session, name string, labels, options map[string]string) (
	volume.Volume, error) {
	if err := ctx.Err(); err != nil {
		return volume.Volume{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), volumeTimeout)
	defer cancel()
	return api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: c.owned(labels), DriverOpts: options})
}

// RemoveVolume removes a volume with all that is in it. It is renga.Conflict as long
// as a container has it, be it one that is just being removed, and no error when it
// is gone or not the platform's.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	have, err := api.VolumeInspect(ctx, name)
	if err == nil && have.Labels[LabelPlatform] == c.platform {
		err = api.VolumeRemove(ctx, name, false)
	}
	if cerrdefs.IsConflict(err) {
		return renga.Errorf(renga.Conflict, "The volume %s cannot be removed, for a container has it: %w", name, err)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", name, c.fault(err))
	}
	return nil
}
