package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"

	"renga"
)

// WriteTree unpacks what write puts into a tar at the container's root, also in one that
// was never started. The owners in the tar count.
func (c *Container) WriteTree(ctx context.Context, write func(*tar.Writer) error) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		archive := tar.NewWriter(to)
		err := write(archive)
		if err == nil {
			err = archive.Close()
		}
		_ = to.CloseWithError(err) // it never fails
		written <- err
	}()
	err = api.CopyToContainer(ctx, c.ID, "/", from, container.CopyToContainerOptions{})
	_ = from.CloseWithError(errNotTaken) // it never fails
	if why := <-written; why != nil && !errors.Is(why, errNotTaken) {
		return why
	}
	if err != nil {
		return fmt.Errorf("write files into a container: %w", c.client.fault(err))
	}
	return nil
}

// ReadTree gives what is in a folder of the container, the folder itself with its name
// first, as the daemon's tar has it: whatever ran in the container may have made it. What
// is not there is renga.NotFound.
func (c *Container) ReadTree(ctx context.Context, folder string, each func(*tar.Header, io.Reader) error) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	body, _, err := api.CopyFromContainer(ctx, c.ID, folder)
	if gone(err) {
		return renga.Errorf(renga.NotFound, "There is no %s in the container.", folder)
	}
	if err != nil {
		return fmt.Errorf("read a container's files: %w", c.client.fault(err))
	}
	defer func() { _ = body.Close() }() // it was read to its end, or failed
	entries := tar.NewReader(body)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = each(h, entries)
		}
		if err != nil {
			return fmt.Errorf("read a container's files: %w", err)
		}
	}
}

// SaveImage writes an image as docker save does.
func (c *Client) SaveImage(ctx context.Context, id string, to io.Writer) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	saved, err := api.ImageSave(ctx, []string{id})
	if err != nil {
		return fmt.Errorf("save image %s: %w", short(id), c.fault(err))
	}
	_, err = io.Copy(to, saved)
	if err = errors.Join(err, saved.Close()); err != nil {
		return fmt.Errorf("save image %s: %w", short(id), err)
	}
	return nil
}

// ImageConfig is what an image says of itself.
type ImageConfig struct {
	Labels map[string]string
	Env    []string // NAME=value
}

// ImageConfig reads it of an image that the daemon has.
func (c *Client) ImageConfig(ctx context.Context, id string) (ImageConfig, error) {
	api, err := c.api(ctx)
	if err != nil {
		return ImageConfig{}, err
	}
	found, err := api.ImageInspect(ctx, id)
	if err != nil {
		return ImageConfig{}, fmt.Errorf("look at image %s: %w", short(id), c.fault(err))
	}
	if found.Config == nil {
		return ImageConfig{}, nil
	}
	return ImageConfig{found.Config.Labels, found.Config.Env}, nil
}
