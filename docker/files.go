package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"renga"
)

// File is a file or folder in a container.
type File struct {
	Path string
	Mode fs.FileMode
}

// Lstat looks at a path and follows no link. What is not there is
// fs.ErrNotExist.
func (c *Container) Lstat(ctx context.Context, path string) (File, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return File{}, err
	}
	found, err := api.ContainerStatPath(ctx, c.ID, path)
	return c.file(path, found, err)
}

// Stat is Lstat for where a link leads to, if the path is one. The daemon gives a
// link's target already resolved within the container.
func (c *Container) Stat(ctx context.Context, path string) (File, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return File{}, err
	}
	found, err := api.ContainerStatPath(ctx, c.ID, path)
	if err == nil && found.Mode&fs.ModeSymlink != 0 {
		path = found.LinkTarget
		found, err = api.ContainerStatPath(ctx, c.ID, path)
	}
	return c.file(path, found, err)
}

func (c *Container) file(path string, found container.PathStat, err error) (File, error) {
	switch {
	case cerrdefs.IsNotFound(err):
		return File{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	case err != nil:
		return File{}, fmt.Errorf("look for a container's file: %w", c.client.fault(err))
	}
	return File{path, found.Mode}, nil
}

// Open opens a file by the daemon's archives. They hold what is in the image,
// what was written over it and volumes, and nothing that the kernel makes up,
// such as /proc. The daemon reads as root, and keeps the container locked until
// an archive is closed.
func (c *Container) Open(ctx context.Context, path string) (fs.File, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return nil, err
	}
	if path, err = c.regular(ctx, path); err != nil {
		return nil, err
	}
	body, _, err := api.CopyFromContainer(ctx, c.ID, path)
	if err != nil {
		return nil, fmt.Errorf("read a container's file: %w", c.client.fault(err))
	}
	archive := tar.NewReader(body)
	header, err := archive.Next()
	if err == nil && header.Typeflag != tar.TypeReg {
		err = fmt.Errorf("%s has become no file", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read a container's file: %w", err), body.Close())
	}
	return &archived{archive, body, header.FileInfo()}, nil
}

// regular is the path of a file that can be read, links followed.
func (c *Container) regular(ctx context.Context, path string) (string, error) {
	found, err := c.Stat(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", renga.Errorf(renga.NotFound, "There is no such file.")
	case err != nil:
		return "", err
	case found.Mode.IsDir():
		return "", renga.Errorf(renga.Invalid, "It is a folder; only single files can be copied.")
	case !found.Mode.IsRegular():
		return "", renga.Errorf(renga.Invalid, "It is no file.")
	}
	return found.Path, nil
}

// archived is the one file of an archive.
type archived struct {
	io.Reader
	io.Closer
	info fs.FileInfo
}

// Stat tells the size that will be read, and more.
func (a *archived) Stat() (fs.FileInfo, error) { return a.info, nil }
