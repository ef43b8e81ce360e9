package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"renga"
)

// Find finds a stored image of an app by the digest of its config, which
// clients call image id, by the digest of its manifest or of an index, each
// with or without "sha256:", or by a tag of the process type's repository. It
// returns what the image declares, as a push would. If only another repository
// of the app has the image, it is for t alone. It is renga.Invalid if there is
// no such image, or none that can run here.
//
// There is no index to find images by, for it could be wrong. Find tries what
// the release tag names, then reads every manifest, which takes less than 0.1
// seconds per thousand (see the benchmark).
func (r *Registry) Find(ctx context.Context, app string, t renga.ProcessType,
	ref string) (map[renga.ProcessType]renga.Image, error) {
	dgst, byDigest := asDigest(ref)
	if !byDigest {
		return r.findTag(ctx, app, t, ref)
	}
	repositories, err := r.repositoriesFor(app, t)
	if err != nil {
		return nil, fmt.Errorf("find image %s of app %s: %w", dgst, app, err)
	}
	for _, repository := range repositories {
		images, err := r.findDigest(ctx, app, repository, dgst)
		if images = onlyFor(t, app, repository, images); err != nil || images != nil {
			return images, err
		}
	}
	return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s. Push it, then release it.", clipText(ref),
		app, t)
}

// asDigest reads a digest that may lack its "sha256:"; anything else is a tag.
func asDigest(ref string) (string, bool) {
	if !strings.Contains(ref, ":") {
		ref = "sha256:" + ref
	}
	return ref, renga.ValidDigest(ref)
}

func (r *Registry) findTag(ctx context.Context, app string, t renga.ProcessType,
	tag string) (map[renga.ProcessType]renga.Image, error) {
	none := renga.Errorf(renga.Invalid, "%s/%s has no image %q. Name one by its digest or by a tag that was pushed.", app,
		t, clipText(tag))
	if !tagName.MatchString(tag) {
		return nil, none
	}
	repo, err := r.repository(ctx, app+"/"+string(t))
	if err != nil {
		return nil, err
	}
	dgst, err := repo.tag(ctx, tag)
	if err != nil {
		return nil, err
	}
	images, err := r.imagesIn(ctx, app, t, dgst)
	if err == nil && images == nil {
		err = none
	}
	return images, err
}

// repositoriesFor are the app's repositories in the order in which an image for t is
// looked for: its own, then the other process types', then the releases.
func (r *Registry) repositoriesFor(app string, t renga.ProcessType) ([]renga.ProcessType, error) {
	entries, err := os.ReadDir(r.driver.file(repositoryDir(app)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	repositories := []renga.ProcessType{t}
	for _, e := range entries {
		if part := renga.ProcessType(e.Name()); part != t && renga.ValidateProcessType(part) == nil {
			repositories = append(repositories, part)
		}
	}
	return append(repositories, releasesPart), nil
}

// findDigest looks for an image in one repository; nil when it is not there.
func (r *Registry) findDigest(ctx context.Context, app string, repository renga.ProcessType,
	dgst string) (map[renga.ProcessType]renga.Image, error) {
	if images, err := r.imagesIn(ctx, app, repository, dgst); err != nil || images != nil {
		return images, err
	}
	repo, err := r.repository(ctx, app+"/"+string(repository))
	if err != nil {
		return nil, err
	}
	newest, err := repo.tag(ctx, r.o.ReleaseTag)
	if err != nil {
		return nil, err
	}
	images, err := r.imagesIn(ctx, app, repository, newest)
	if err == nil && hasConfig(images, dgst) {
		return images, nil
	}
	return r.findConfig(ctx, app, repository, dgst)
}

// findConfig reads every manifest of a repository until one has the config.
func (r *Registry) findConfig(ctx context.Context, app string, repository renga.ProcessType,
	config string) (map[renga.ProcessType]renga.Image, error) {
	revisions, err := os.ReadDir(r.driver.file(revisionsDir(app + "/" + string(repository))))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list images of %s/%s: %w", app, repository, err)
	}
	for _, e := range revisions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !r.namesConfig(e.Name(), config) {
			continue
		}
		images, err := r.imagesIn(ctx, app, repository, "sha256:"+e.Name())
		if err != nil || hasConfig(images, config) {
			return images, err
		}
	}
	return nil, nil
}

// namesConfig tells whether the manifest of that digest has that config. A
// manifest that cannot be read has none.
func (r *Registry) namesConfig(hex, config string) bool {
	if !renga.ValidDigest("sha256:" + hex) {
		return false
	}
	body, err := os.ReadFile(r.driver.file(blobData(hex)))
	if err != nil || !bytes.Contains(body, []byte(config)) {
		return false
	}
	var doc manifestDoc
	return json.Unmarshal(body, &doc) == nil && doc.Config != nil && doc.Config.Digest == config
}

// imagesIn reads what a manifest of a repository declares; nil when the
// repository has none of that digest, or none that is an image.
func (r *Registry) imagesIn(ctx context.Context, app string, repository renga.ProcessType,
	dgst string) (map[renga.ProcessType]renga.Image, error) {
	repo, err := r.repository(ctx, app+"/"+string(repository))
	if err != nil {
		return nil, err
	}
	mediaType, body, err := repo.manifest(ctx, dgst)
	if errors.Is(err, errNotStored) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	process := repository
	if repository == releasesPart {
		process = renga.Web // whose image may declare all that a release holds
	}
	images, err := imageReader{repo, r.platform, r.o.MaxImageBytes, r.measureLayers}.read(ctx, app, process, mediaType,
		body)
	if errors.Is(err, errNotStored) {
		err = renga.Errorf(renga.Invalid, "The image %s of %s/%s is not complete in the registry. Push it again.",
			clipText(dgst), app, repository)
	}
	return images, err
}

func hasConfig(images map[renga.ProcessType]renga.Image, config string) bool {
	for _, img := range images {
		return img.Config == config // one image, whatever it declares
	}
	return false
}

// onlyFor reduces an image of another repository to what t runs of it: the
// command that is declared for t, or else the image's own; nil when neither is
// there.
func onlyFor(t renga.ProcessType, app string, repository renga.ProcessType,
	images map[renga.ProcessType]renga.Image) map[renga.ProcessType]renga.Image {
	if repository == t || len(images) == 0 {
		return images
	}
	own := repository
	if repository == releasesPart {
		own = renga.Web
	}
	img, declared := images[t]
	if !declared {
		img, declared = images[own]
	}
	if !declared {
		return nil
	}
	if repository == releasesPart { // nobody pushes there
		img.Repository = app + "/" + string(t)
	}
	return map[renga.ProcessType]renga.Image{t: img}
}

// revisionsDir is the path of the directory that has an entry for each
// manifest of a repository.
func revisionsDir(repository string) string {
	return filepath.ToSlash(filepath.Join(repositoryDir(repository), "_manifests/revisions/sha256"))
}
