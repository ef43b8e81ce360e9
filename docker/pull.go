package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"renga"
)

// NamedImage is an image that is known by its name, for instance postgres:15.
type NamedImage struct {
	ID     string // the daemon's
	Digest string // of what was pulled; empty for an image that was made on this machine
}

// ImageByName gives the image of that name. One that the daemon has is used as it
// is, and no registry is asked. Any other is pulled from the registry that its name
// says, Docker Hub if it says none; tell is told how many bytes have come of how
// many that are known of by then.
func (c *Client) ImageByName(ctx context.Context, name string, tell func(done, total int64)) (NamedImage, error) {
	api, err := c.api(ctx)
	if err != nil {
		return NamedImage{}, err
	}
	have, err := c.namedImage(ctx, api, name)
	if err != nil || have.ID != "" {
		return have, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	// Several that pull the same at once share what comes: the daemon sees to it.
	progress, err := api.ImagePull(ctx, name, image.PullOptions{})
	if err == nil {
		bytes := layers{tell: tell, all: map[string]layer{}}
		err = errors.Join(readProgress(progress, bytes.note), progress.Close())
	}
	if err != nil {
		return NamedImage{}, c.namedPullFault(err, name)
	}
	have, err = c.namedImage(ctx, api, name)
	if err == nil && have.ID == "" {
		err = renga.Errorf(renga.Unavailable, "The image %s was pulled and is gone again; trying again.", quote(name))
	}
	c.log.Info("image pulled", "image", name, "digest", have.Digest, "took", time.Since(began))
	return have, err
}

// namedImage looks for it on the machine; it is empty when there is none.
func (c *Client) namedImage(ctx context.Context, api *session, name string) (NamedImage, error) {
	found, err := api.ImageInspect(ctx, name)
	switch {
	case cerrdefs.IsNotFound(err):
		return NamedImage{}, nil
	case cerrdefs.IsInvalidArgument(err) && !isVersionMismatch(err):
		return NamedImage{}, renga.Errorf(renga.Invalid,
			"%s is no name of an image; it is written like postgres:15: %w", quote(name), err)
	case err != nil:
		return NamedImage{}, fmt.Errorf("look for image %s: %w", quote(name), c.fault(err))
	}
	have := NamedImage{ID: found.ID}
	if len(found.RepoDigests) > 0 {
		_, have.Digest, _ = strings.Cut(found.RepoDigests[0], "@")
	}
	return have, nil
}

// layers adds up how far the layers of a pull have come.
type layers struct {
	tell func(done, total int64)
	all  map[string]layer
}

type layer struct{ done, total int64 }

// note takes one message. Only a layer whose download has begun says its size.
func (l layers) note(m pullMessage) {
	now, known := l.all[m.ID]
	switch {
	case m.Status == "Downloading" && m.Detail.Total > 0:
		now = layer{m.Detail.Current, m.Detail.Total}
	case m.Status == "Download complete" && known:
		now.done = now.total
	default:
		return
	}
	l.all[m.ID] = now
	var sum layer
	for _, one := range l.all {
		sum.done, sum.total = sum.done+one.done, sum.total+one.total
	}
	l.tell(sum.done, sum.total)
}

// namedPullFaults are pieces of what the daemon passes on of a registry's answer,
// and what to tell of them.
var namedPullFaults = []struct {
	piece    string
	kind     renga.Kind
	sentence string
}{
	{
		"toomanyrequests", renga.Unavailable,
		"The registry lets nobody pull %s now, for too much was pulled from here. Try again later, or pull it by hand after docker login",
	},
	{
		"no space left on device", renga.NoSpace,
		"Docker's disk is full: the image %s cannot be unpacked. Make room, for instance with docker image prune",
	},
	{
		"no matching manifest", renga.Invalid,
		"The image %s is not there for this machine's platform. Name another one",
	},
	{"pull access denied", renga.Invalid, missingImage},
	{"manifest unknown", renga.Invalid, missingImage},
	{"name unknown", renga.Invalid, missingImage},
	{"not found: ", renga.Invalid, missingImage},
	{"unauthorized", renga.Invalid, missingImage},
	{"authentication required", renga.Invalid, missingImage},
}

const missingImage = "There is no image %s at its registry, or none that everybody may pull. " +
	"Correct its name, or bring it to this machine with docker pull or docker load"

// namedPullFault says why an image could not be pulled, and what to do.
func (c *Client) namedPullFault(err error, name string) error {
	text := err.Error()
	for _, f := range namedPullFaults {
		if strings.Contains(text, f.piece) {
			return &renga.Error{Kind: f.kind, Err: err, Message: fmt.Sprintf(f.sentence, quote(name)) + ": " + sentence(err) + "."}
		}
	}
	var told *pullError
	fromDaemon := errors.As(err, &told) || cerrdefs.IsInternal(err) || cerrdefs.IsUnknown(err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return renga.Errorf(renga.Unavailable, "The image %s did not come within %s. Pull it by hand with docker pull: %w",
			quote(name), pullTimeout, err)
	case fromDaemon && isPermanent(err):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot unpack the image " + quote(name) + ": " + sentence(err) + "."}
	case fromDaemon:
		return &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "Docker cannot pull the image " + quote(name) + ": " + sentence(err) +
				". Check this machine's connection, or bring the image to it with docker load."}
	}
	return c.fault(err)
}
