package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"renga"
)

// An image that was pulled for an app gets a tag that says so, and goes with the
// last app that has one. Tags are the daemon's own, outlive us, and unlike labels
// cannot be made by whoever made the image.

// tagRepository is the repository of the tags of the platform's images.
func (c *Client) tagRepository() string { return "renga/" + c.BridgePrefix() + "/" }

// tagPulled tags an image that was pulled from the platform's registry. One that was
// on the machine before, or that somebody loaded, is not ours to remove.
func (c *Client) tagPulled(ctx context.Context, api *session, w ReleaseImage, found image.InspectResponse) {
	tag := c.tagRepository() + string(w.App) + ":" + strings.TrimPrefix(short(w.Image.Digest), "sha256:")
	if !slices.ContainsFunc(found.RepoDigests, c.isPulledName) || slices.Contains(found.RepoTags, tag) {
		return
	}
	if err := api.ImageTag(ctx, found.ID, tag); err != nil { // the next start does it
		c.log.Warn("image is not tagged, and so may stay when its app goes", "app", w.AppName, "tag", tag, "err", err)
	}
}

// isPulledName tells whether an image's name is one that only the engine pulls by:
// nobody else is let into these repositories.
func (c *Client) isPulledName(name string) bool {
	rest, ours := strings.CutPrefix(name, c.registry+"/")
	repository, _, _ := strings.Cut(rest, "@")
	return ours && strings.HasSuffix(repository, "/releases")
}

// forgetImages removes what was pulled for an app, but for images that others
// have a name for: other apps, or people.
func (c *Client) forgetImages(ctx context.Context, api *session, app renga.AppID) error {
	return c.eachImage(ctx, api, app, func(_ image.InspectResponse, names []string) error {
		return c.removeNames(ctx, api, names)
	})
}

// eachImage does something with each image that was pulled for an app, and the names
// of it that go with the app.
func (c *Client) eachImage(ctx context.Context, api *session, app renga.AppID,
	do func(img image.InspectResponse, names []string) error) error {
	repository := c.tagRepository() + string(app)
	all, err := api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
	if err != nil {
		return fmt.Errorf("list images of app %s: %w", app, c.fault(err))
	}
	for _, listed := range all {
		// A list that is filtered by names tells no others.
		img, err := api.ImageInspect(ctx, listed.ID)
		if cerrdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("inspect image of app %s: %w", app, c.fault(err))
		}
		if err := do(img, c.namesOf(img, repository)); err != nil {
			return fmt.Errorf("remove image %s of app %s: %w", short(img.ID), app, err)
		}
	}
	return nil
}

// namesOf are the names of an image that go with an app: its tag and, if no other
// app has one, those that the image was pulled by.
func (c *Client) namesOf(img image.InspectResponse, repository string) []string {
	mine := func(tag string) bool { return strings.HasPrefix(tag, repository+":") }
	others := func(tag string) bool { return strings.HasPrefix(tag, c.tagRepository()) && !mine(tag) }
	var names []string
	if !slices.ContainsFunc(img.RepoTags, others) {
		names = slices.DeleteFunc(slices.Clone(img.RepoDigests), func(name string) bool { return !c.isPulledName(name) })
	}
	for _, tag := range img.RepoTags {
		if mine(tag) {
			names = append(names, tag) // last, for it is what the image is found by
		}
	}
	return names
}

// removeNames takes names from an image, and with the last of all the image. One
// that a container of somebody else's uses stays.
func (c *Client) removeNames(ctx context.Context, api *session, names []string) error {
	for _, name := range names {
		_, err := api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
		switch {
		case cerrdefs.IsConflict(err):
			c.log.Info("image is in use, and stays", "image", name, "err", err)
		case err != nil && !cerrdefs.IsNotFound(err):
			return c.fault(err)
		}
	}
	return nil
}

// KeepImages removes what was pulled for apps but the images that are named, by
// digest: of apps that are not named nothing is removed. It touches no image that
// the platform did not pull, and none that a container uses.
func (c *Client) KeepImages(ctx context.Context, kept map[renga.AppID]map[string]bool) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	for app, digests := range kept {
		if err := c.keepImagesOf(ctx, api, app, digests); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) keepImagesOf(ctx context.Context, api *session, app renga.AppID, digests map[string]bool) error {
	repository := c.tagRepository() + string(app)
	stay := map[string]bool{}
	for digest := range digests {
		stay[repository+":"+strings.TrimPrefix(short(digest), "sha256:")] = true
	}
	return c.eachImage(ctx, api, app, func(img image.InspectResponse, names []string) error {
		if slices.ContainsFunc(names, func(name string) bool { return stay[name] }) {
			return nil
		}
		used, err := c.isUsed(ctx, api, img.ID)
		if err != nil || used { // to be removed once its dynos have ended
			return err
		}
		return c.removeNames(ctx, api, names)
	})
}

// isUsed tells whether a container was made of an image, whoever made it.
func (c *Client) isUsed(ctx context.Context, api *session, id string) (bool, error) {
	users, err := api.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("ancestor", id)),
	})
	if err != nil {
		return false, fmt.Errorf("look who uses image %s: %w", short(id), c.fault(err))
	}
	return len(users) > 0, nil
}
