package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	cerrdefs "github.com/containerd/errdefs"

	"renga"
)

// OpenFile implements [engine.Filer] by the daemon's archives. They hold what
// is in the image, what was written over it and volumes, and nothing that the
// kernel makes up, such as /proc. The daemon reads as root, and keeps the
// container locked until an archive is closed.
func (e *Engine) OpenFile(ctx context.Context, id, path string) (fs.File, error) {
	api, c, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if c == nil || !c.State.Running {
		return nil, absentNow(id)
	}
	if path, err = e.regular(ctx, api, id, path); err != nil {
		return nil, err
	}
	body, _, err := api.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, fmt.Errorf("read a dyno's file: %w", e.fault(err))
	}
	archive := tar.NewReader(body)
	header, err := archive.Next()
	if err == nil && header.Typeflag != tar.TypeReg {
		err = fmt.Errorf("%s has become no file", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read a dyno's file: %w", err), body.Close())
	}
	return &archived{archive, body, header.FileInfo()}, nil
}

// regular is the path of a file that can be read, links followed. The daemon
// gives a link's target already resolved within the container.
func (e *Engine) regular(ctx context.Context, api *session, id, path string) (string, error) {
	found, err := api.ContainerStatPath(ctx, id, path)
	if err == nil && found.Mode&fs.ModeSymlink != 0 {
		path = found.LinkTarget
		found, err = api.ContainerStatPath(ctx, id, path)
	}
	switch {
	case cerrdefs.IsNotFound(err):
		return "", renga.Errorf(renga.NotFound, "There is no such file.")
	case err != nil:
		return "", fmt.Errorf("look for a dyno's file: %w", e.fault(err))
	case found.Mode.IsDir():
		return "", renga.Errorf(renga.Invalid, "It is a folder; only single files can be copied.")
	case !found.Mode.IsRegular():
		return "", renga.Errorf(renga.Invalid, "It is no file.")
	}
	return path, nil
}

// archived is the one file of an archive.
type archived struct {
	io.Reader
	io.Closer
	info fs.FileInfo
}

// Stat tells the size that will be read, and more.
func (a *archived) Stat() (fs.FileInfo, error) { return a.info, nil }
