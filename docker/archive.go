package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"renga"
)

// Volumes are read and written by the daemon's archives, through a container that
// has the volume and is never started: so it needs no program and no image that
// somebody would have to pull, and works wherever the daemon keeps its files.

const (
	archiveKind Kind = "archive"
	// emptyImage has nothing in it. It is made here, is a few bytes long, and stays.
	emptyImage = "renga/empty:1"
	// archiveDir is where it has the volume, and what all names in an archive begin
	// with: so the folder's own owner and mode are in it, too.
	archiveDir = "/volume"
	// archiveLimit bounds the making and the removal of a container whose asker may
	// have gone.
	archiveLimit = 30 * time.Second
)

// ReadVolume writes a tar of all that is in a volume. What was written is whole
// only if the error is nil: files that shrink while they are read break it off.
func (c *Client) ReadVolume(ctx context.Context, v Volume, to io.Writer) error {
	return c.throughContainer(ctx, v.ReadOnly(), func(api *session, id string) error {
		archive, _, err := api.CopyFromContainer(ctx, id, archiveDir)
		if err != nil {
			return fmt.Errorf("read volume %s: %w", v.name, c.fault(err))
		}
		end := &tarEnd{}
		_, err = io.Copy(io.MultiWriter(to, end), archive)
		err = errors.Join(err, archive.Close())
		if err == nil && !end.reached() {
			err = renga.Errorf(renga.Unavailable, "Files became smaller while they were copied. Try again, or when nobody writes.")
		}
		return err
	})
}

// WriteVolume writes what is in a tar of ReadVolume's into a volume, if that is no
// more than most bytes; 0 for no limit. It is renga.Invalid, and what was written
// must go, if the archive is anything else.
func (c *Client) WriteVolume(ctx context.Context, v Volume, from io.Reader, most int64) error {
	return c.throughContainer(ctx, v, func(api *session, id string) error {
		checked, to := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := copyTar(to, from, most)
			ended <- err
			_ = to.CloseWithError(err) // it never fails
		}()
		err := api.CopyToContainer(ctx, id, "/", checked, container.CopyToContainerOptions{})
		_ = checked.CloseWithError(errNotTaken) // it never fails
		switch why := endOf(ended, err); {
		case why != nil && !errors.Is(why, errNotTaken):
			return why
		case cerrdefs.IsInvalidArgument(err) || cerrdefs.IsInternal(err):
			return renga.Errorf(renga.Invalid, "The archive cannot be unpacked: %w", err)
		case err != nil:
			return fmt.Errorf("write volume %s: %w", v.name, c.fault(err))
		}
		return nil
	})
}

// endOf is how the passing on of an archive ended; nil if it has not, for the daemon
// stopped before, and a reader may be stuck.
func endOf(ended <-chan error, stopped error) error {
	if stopped == nil {
		return <-ended
	}
	select {
	case err := <-ended: // it is told before the daemon learns that there is no more
		return err
	default:
		return nil
	}
}

// errNotTaken is what an archive ends with that the daemon does not want any more.
var errNotTaken = errors.New("the daemon takes no more of the archive")

// openFolder lets every user write into a volume. The image's user is not known
// when a disk is made, and changes with images.
func (c *Client) openFolder(ctx context.Context, v Volume) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: archiveDir[1:] + "/", Mode: 0o777, ModTime: time.Now()})
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	return c.WriteVolume(ctx, v, &archive, 0)
}

// RemoveArchiveLeftovers removes what a Renga before this one was killed over.
func (c *Client) RemoveArchiveLeftovers(ctx context.Context) error {
	return c.RemoveAll(ctx, archiveKind)
}

// isEmptyVolume tells whether there is certainly nothing in a volume, whoever's it is.
func (c *Client) isEmptyVolume(ctx context.Context, name string) bool {
	empty := false
	err := c.throughContainer(ctx, Volume{name: name}.ReadOnly(), func(api *session, id string) error {
		archive, _, err := api.CopyFromContainer(ctx, id, archiveDir)
		if err != nil {
			return err
		}
		entries := tar.NewReader(archive)
		_, itself := entries.Next()
		_, another := entries.Next()
		empty = itself == nil && another == io.EOF
		return archive.Close()
	})
	return err == nil && empty
}

// throughContainer does something through a container that has the volume.
func (c *Client) throughContainer(ctx context.Context, v Volume, do func(api *session, id string) error) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	if err := c.haveEmptyImage(ctx, api); err != nil {
		return err
	}
	made, err := c.archiveContainer(ctx, v)
	if err != nil {
		return err
	}
	if err = ctx.Err(); err == nil {
		err = do(api, made.ID)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), archiveLimit)
	defer cancel()
	return errors.Join(err, made.Remove(ctx))
}

// archiveContainer does not stop when ctx ends: the daemon would go on, and make
// the volume, too, if that is removed before.
func (c *Client) archiveContainer(ctx context.Context, v Volume) (*Container, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), archiveLimit)
	defer cancel()
	return c.Create(ctx, Spec{
		Kind: archiveKind, Image: emptyImage, Command: []string{"/never"}, Volumes: map[string]Volume{archiveDir: v.Bare()},
	})
}

func (c *Client) haveEmptyImage(ctx context.Context, api *session) error {
	_, err := api.ImageInspect(ctx, emptyImage)
	if err == nil || !cerrdefs.IsNotFound(err) {
		return c.fault(err)
	}
	var nothing bytes.Buffer
	if err := tar.NewWriter(&nothing).Close(); err != nil {
		return err
	}
	said, err := api.ImageImport(ctx, image.ImportSource{Source: &nothing, SourceName: "-"}, emptyImage, image.ImportOptions{})
	if err != nil {
		return fmt.Errorf("make the empty image: %w", c.fault(err))
	}
	_, err = io.Copy(io.Discard, said) // it is made once all was said
	return errors.Join(err, said.Close())
}

// tarEnd sees whether a tar has come to its end: two blocks of zeros.
type tarEnd struct{ last []byte }

const tarEndBytes = 2 * 512

// Write looks at what passes.
func (e *tarEnd) Write(p []byte) (int, error) {
	e.last = append(e.last, p[max(0, len(p)-tarEndBytes):]...)
	e.last = e.last[max(0, len(e.last)-tarEndBytes):]
	return len(p), nil
}

func (e *tarEnd) reached() bool { return bytes.Equal(e.last, make([]byte, tarEndBytes)) }
