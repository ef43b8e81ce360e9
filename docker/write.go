package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/docker/docker/api/types/container"
)

// NewFile is a file to be written into a container.
type NewFile struct {
	Path     string // absolute
	Content  []byte
	Mode     fs.FileMode
	UID, GID int
}

// WriteFiles writes files into a container, also into one that was never started:
// over what is there, and into its volumes. Folders that are missing are made.
func (c *Container) WriteFiles(ctx context.Context, files ...NewFile) error {
	if len(files) == 0 {
		return nil
	}
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	archive, err := c.pack(ctx, files)
	if err != nil {
		return err
	}
	if err := api.CopyToContainer(ctx, c.ID, "/", archive, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("write files into a container: %w", c.client.fault(err))
	}
	return nil
}

func (c *Container) pack(ctx context.Context, files []NewFile) (io.Reader, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	made := map[string]bool{}
	for _, f := range files {
		folders, err := c.missing(ctx, path.Dir(path.Clean(f.Path)), made)
		if err != nil {
			return nil, err
		}
		for _, folder := range folders {
			header := tar.Header{Typeflag: tar.TypeDir, Name: folder[1:] + "/", Mode: 0o755}
			if err := archive.WriteHeader(&header); err != nil {
				return nil, err
			}
		}
		header := tar.Header{
			Name: path.Clean(f.Path)[1:], Mode: int64(f.Mode.Perm()), Size: int64(len(f.Content)), Uid: f.UID, Gid: f.GID,
		}
		if err := archive.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.Content); err != nil {
			return nil, err
		}
	}
	return &buffer, archive.Close()
}

// missing are the folders that a folder lacks, itself included, outermost first.
// Those that are there must not be in the archive: it would change whose they are.
func (c *Container) missing(ctx context.Context, folder string, made map[string]bool) ([]string, error) {
	if folder == "/" || made[folder] {
		return nil, nil
	}
	_, err := c.Stat(ctx, folder)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	outer, err := c.missing(ctx, path.Dir(folder), made)
	made[folder] = true
	return append(outer, folder), err
}
