package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"renga"
)

// pullTimeout bounds a whole pull. Nobody waits longer for a dyno.
const pullTimeout = 30 * time.Minute

// ReleaseImage is an image of an app's release, in the platform's registry.
type ReleaseImage struct {
	App     renga.AppID
	AppName string
	Release int
	Image   renga.Image
}

// Image gives the daemon's id of an image. Only when the daemon has it under none
// of its names it is pulled, once for all who wait.
func (c *Client) Image(ctx context.Context, w ReleaseImage) (string, error) {
	api, err := c.api(ctx)
	if err != nil {
		return "", err
	}
	id, err := c.findImage(ctx, api, w)
	if err != nil || id != "" {
		return id, err
	}
	ref := c.reference(w)
	return c.pulls.do(ctx, ref, func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, pullTimeout)
		defer cancel()
		// Somebody's pull may have ended just before this one began.
		if id, err := c.findImage(ctx, api, w); err != nil || id != "" {
			return id, err
		}
		if err := c.pull(ctx, api, ref, w); err != nil {
			return "", err
		}
		id, err := c.findImage(ctx, api, w)
		if err == nil && id == "" {
			err = renga.Errorf(renga.Unavailable,
				"The image %s was pulled and is gone again; trying again.", short(w.Image.Digest))
		}
		return id, err
	})
}

// reference is where the platform's registry keeps the image.
func (c *Client) reference(w ReleaseImage) string {
	return c.registry + "/" + w.AppName + "/releases@" + w.Image.Digest
}

// findImage looks for the image under each name the daemon may know it by: the
// classic image store calls it by the digest of its config, the containerd one
// by that of its manifest, both by what was pulled. All are content, none a
// tag. It is empty when there is none.
func (c *Client) findImage(ctx context.Context, api *session, w ReleaseImage) (string, error) {
	for _, name := range []string{w.Image.Config, w.Image.Digest, c.reference(w)} {
		if name == "" {
			continue
		}
		found, err := api.ImageInspect(ctx, name)
		switch {
		case err == nil:
			c.tagPulled(ctx, api, w, found)
			return found.ID, nil
		case !cerrdefs.IsNotFound(err):
			return "", fmt.Errorf("look for image %s: %w", short(w.Image.Digest), c.fault(err))
		}
	}
	return "", nil
}

func (c *Client) pull(ctx context.Context, api *session, ref string, w ReleaseImage) error {
	began := time.Now()
	progress, err := api.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: c.pullAuth})
	if err != nil {
		return c.pullFault(err, w.Image)
	}
	err = readProgress(progress, func(pullMessage) {})
	if err = errors.Join(err, progress.Close()); err != nil {
		return c.pullFault(err, w.Image)
	}
	c.log.Info("image pulled", "app", w.AppName, "release", renga.VersionName(w.Release),
		"digest", w.Image.Digest, "took", time.Since(began))
	return nil
}

// pullError is an error that the daemon told in the middle of a pull, when the
// status was already sent.
type pullError struct{ message string }

func (e *pullError) Error() string { return e.message }

// pullMessage is what the daemon says while it pulls.
type pullMessage struct {
	ID     string `json:"id"` // of a layer
	Status string `json:"status"`
	Detail struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error       string `json:"error"`
	ErrorDetail struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// readProgress reads a pull's stream to its end, for the pull goes on only as
// long as somebody does, and finds the error in it.
func readProgress(stream io.Reader, tell func(pullMessage)) error {
	messages := json.NewDecoder(stream)
	for {
		var m pullMessage
		switch err := messages.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the pull's progress: %w", err)
		}
		if text := m.ErrorDetail.Message + m.Error; text != "" {
			return &pullError{max(m.ErrorDetail.Message, m.Error)}
		}
		tell(m)
	}
}

// pullFault sorts a failed pull: the image is not there (Invalid), or the way
// to it is blocked (Unavailable). The daemon hands on the registry's codes as
// text only.
func (c *Client) pullFault(err error, img renga.Image) error {
	text := err.Error()
	has := func(pieces ...string) bool {
		for _, p := range pieces {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	var told *pullError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case has("unauthorized", "authentication required", "no basic auth credentials"):
		return &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "The registry at " + c.registry + " does not accept the platform's own pull credential; restart Renga."}
	case has("no space left on device"):
		return &renga.Error{Kind: renga.NoSpace, Err: err,
			Message: "Docker's disk is full: the image " + short(img.Digest) + " cannot be unpacked. " +
				"Make room, for instance with docker image prune."}
	case cerrdefs.IsNotFound(err), cerrdefs.IsPermissionDenied(err),
		has("manifest unknown", "name unknown", "denied:", "access denied", "not found"):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "The image " + short(img.Digest) + " is not in the registry any more; push it again."}
	case isPermanent(err):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot unpack the image " + short(img.Digest) + ": " + sentence(err) +
				". Build it anew and push again."}
	case errors.As(err, &told), cerrdefs.IsInternal(err), cerrdefs.IsUnknown(err):
		return &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "Docker cannot pull the image " + short(img.Digest) + " from " + c.registry + ": " + text}
	}
	return c.fault(err)
}

// short is how people read a digest: sha256: and 12 digits.
func short(digest string) string {
	const n = len("sha256:") + 12
	if len(digest) <= n {
		return digest
	}
	return digest[:n]
}
