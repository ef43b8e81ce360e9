package docker

import (
	"context"
	"fmt"

	"renga"
	"renga/durable"
)

// Root is the directory where the daemon keeps images and containers, on its own
// machine.
func (c *Client) Root(ctx context.Context) (string, error) {
	api, err := c.api(ctx)
	if err != nil {
		return "", err
	}
	info, err := api.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("ask where docker keeps its files: %w", c.fault(err))
	}
	return info.DockerRootDir, nil
}

// DiskFree is how many bytes are free there. It is an error where that is not to
// be seen from here.
func (c *Client) DiskFree(ctx context.Context) (int64, error) {
	root, err := c.Root(ctx)
	if err != nil {
		return 0, err
	}
	free, err := durable.FreeBytes(root)
	if err != nil {
		return 0, fmt.Errorf("docker's directory is not to be seen from here: %w", err)
	}
	return free, nil
}

// DiskShare is how many bytes of the disk there are used, of how many. It is an
// error where that is not to be seen from here.
func (c *Client) DiskShare(ctx context.Context) (renga.Share, error) {
	root, err := c.Root(ctx)
	if err != nil {
		return renga.Share{}, err
	}
	free, err := durable.FreeBytes(root)
	if err != nil {
		return renga.Share{}, fmt.Errorf("docker's directory is not to be seen from here: %w", err)
	}
	total, err := durable.TotalBytes(root)
	return renga.Share{Used: max(0, total-free), Limit: total}, err
}

// Size is how many bytes a container wrote in its own layer, as the daemon counts
// them, which takes its time.
func (c *Client) Size(ctx context.Context, id string) (int64, error) {
	api, err := c.api(ctx)
	if err != nil {
		return 0, err
	}
	seen, _, err := api.ContainerInspectWithRaw(ctx, id, true)
	switch {
	case err != nil:
		return 0, fmt.Errorf("ask for the size of container %s: %w", shortID(id), c.fault(err))
	case seen.SizeRw == nil:
		return 0, nil
	}
	return *seen.SizeRw, nil
}
