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
	"renga/runtime/engine"
)

// pullTimeout bounds a whole pull. Nobody waits longer for a dyno.
const pullTimeout = 30 * time.Minute

// image gives the daemon's id of the dyno's image. Only when the daemon has
// it under none of its names it is pulled, once for all who wait.
func (e *Engine) image(ctx context.Context, s engine.Spec) (string, error) {
	api, err := e.api(ctx)
	if err != nil {
		return "", err
	}
	id, err := e.findImage(ctx, api, s)
	if err != nil || id != "" {
		return id, err
	}
	ref := e.reference(s)
	return e.pulls.do(ctx, ref, func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, pullTimeout)
		defer cancel()
		// Somebody's pull may have ended just before this one began.
		if id, err := e.findImage(ctx, api, s); err != nil || id != "" {
			return id, err
		}
		if err := e.pull(ctx, api, ref, s); err != nil {
			return "", err
		}
		id, err := e.findImage(ctx, api, s)
		if err == nil && id == "" {
			err = renga.Errorf(renga.Unavailable, "The image %s was pulled and is gone again; trying again.", short(s.Image.Digest))
		}
		return id, err
	})
}

// reference is where the platform's registry keeps the image.
func (e *Engine) reference(s engine.Spec) string {
	return e.registry + "/" + s.AppName + "/releases@" + s.Image.Digest
}

// findImage looks for the image under each name the daemon may know it by: the
// classic image store calls it by the digest of its config, the containerd one
// by that of its manifest, both by what was pulled. All are content, none a
// tag. It is empty when there is none.
func (e *Engine) findImage(ctx context.Context, api *session, s engine.Spec) (string, error) {
	for _, name := range []string{s.Image.Config, s.Image.Digest, e.reference(s)} {
		if name == "" {
			continue
		}
		found, err := api.ImageInspect(ctx, name)
		switch {
		case err == nil:
			e.keep(ctx, api, s, found)
			return found.ID, nil
		case !cerrdefs.IsNotFound(err):
			return "", fmt.Errorf("look for image %s: %w", short(s.Image.Digest), e.fault(err))
		}
	}
	return "", nil
}

func (e *Engine) pull(ctx context.Context, api *session, ref string, s engine.Spec) error {
	began := time.Now()
	progress, err := api.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: e.pullAuth})
	if err != nil {
		return e.pullFault(err, s.Image)
	}
	err = readProgress(progress)
	if err = errors.Join(err, progress.Close()); err != nil {
		return e.pullFault(err, s.Image)
	}
	e.log.Info("image pulled", "app", s.AppName, "release", renga.VersionName(s.Release),
		"digest", s.Image.Digest, "took", time.Since(began))
	return nil
}

// pullError is an error that the daemon told in the middle of a pull, when the
// status was already sent.
type pullError struct{ message string }

func (e *pullError) Error() string { return e.message }

// readProgress reads a pull's stream to its end, for the pull goes on only as
// long as somebody does, and finds the error in it.
func readProgress(stream io.Reader) error {
	messages := json.NewDecoder(stream)
	for {
		var m struct {
			Error       string `json:"error"`
			ErrorDetail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		switch err := messages.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the pull's progress: %w", err)
		}
		if text := m.ErrorDetail.Message + m.Error; text != "" {
			return &pullError{max(m.ErrorDetail.Message, m.Error)}
		}
	}
}

// pullFault sorts a failed pull: the image is not there (Invalid), or the way
// to it is blocked (Unavailable). The daemon hands on the registry's codes as
// text only.
func (e *Engine) pullFault(err error, img renga.Image) error {
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
			Message: "The registry at " + e.registry + " does not accept the platform's own pull credential; restart Renga."}
	case has("no space left on device"):
		return &renga.Error{Kind: renga.NoSpace, Err: err,
			Message: "Docker's disk is full: the image " + short(img.Digest) + " cannot be unpacked. Make room, for instance with docker image prune."}
	case cerrdefs.IsNotFound(err), cerrdefs.IsPermissionDenied(err), has("manifest unknown", "name unknown", "denied:", "access denied", "not found"):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "The image " + short(img.Digest) + " is not in the registry any more; push it again."}
	case never(err):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot unpack the image " + short(img.Digest) + ": " + sentence(err) + ". Build it anew and push again."}
	case errors.As(err, &told), cerrdefs.IsInternal(err), cerrdefs.IsUnknown(err):
		return &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "Docker cannot pull the image " + short(img.Digest) + " from " + e.registry + ": " + text}
	}
	return e.fault(err)
}

// short is how people read a digest: sha256: and 12 digits.
func short(digest string) string {
	const n = len("sha256:") + 12
	if len(digest) <= n {
		return digest
	}
	return digest[:n]
}
