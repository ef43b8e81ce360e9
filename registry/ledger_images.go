package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"renga"

	"github.com/distribution/distribution/v3"
	// Each of the two registers its format with UnmarshalManifest.
	_ "github.com/distribution/distribution/v3/manifest/ocischema"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ledgerImage is a stored image, and the repository that has it.
type ledgerImage struct {
	manifest   distribution.Manifest
	desc       v1.Descriptor           // of the manifest
	repository distribution.Repository // where it was found
}

// ledgerPlace is where to look for images: in an app's releases, then where
// they were pushed.
type ledgerPlace struct {
	ns       distribution.Namespace
	releases distribution.Repository
	app      string // by its name now, whose process types were pushed to
}

// Present proves that every image could be run: its manifest, its config and
// its layers are there and have their sizes. It does not read contents, as
// Verify does. It looks for an image in the app's releases first, then where it
// was pushed. A missing part is renga.NotFound, one of a wrong size
// renga.Invalid; the message names the process type.
func (l *Ledger) Present(ctx context.Context, app renga.App, images map[renga.ProcessType]renga.Image) error {
	releases, err := l.repository(ctx, app.Name)
	if err != nil {
		return fmt.Errorf("look for the images of app %s: %w", app.Name, err)
	}
	for _, t := range slices.Sorted(maps.Keys(images)) {
		found, err := l.find(ctx, ledgerPlace{l.ns, releases, app.Name}, t, images[t])
		if err != nil {
			return err
		}
		for _, part := range found.manifest.References() {
			if err := ledgerHas(ctx, found.repository.Blobs(ctx), t, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// find looks for an image in the releases, then where it was pushed.
func (l *Ledger) find(ctx context.Context, p ledgerPlace, t renga.ProcessType, img renga.Image) (ledgerImage, error) {
	repository := p.releases
	linked, err := ledgerLinked(ctx, repository, img.Digest)
	if err == nil && !linked {
		if repository, err = p.source(ctx, t, img); err == nil {
			linked, err = ledgerLinked(ctx, repository, img.Digest)
		}
	}
	if err != nil {
		return ledgerImage{}, fmt.Errorf("look for the image of process type %s: %w", t, err)
	}
	if !linked {
		return ledgerImage{}, ledgerGone(t, "its manifest", img.Digest)
	}
	content, err := l.blob(ctx, v1.Descriptor{Digest: digest.Digest(img.Digest), Size: -1})
	if flaw := (*Flaw)(nil); errors.As(err, &flaw) {
		return ledgerImage{}, renga.Errorf(renga.Invalid, "The image of process type %s is damaged: %w. Push it again.", t,
			err)
	}
	if err != nil {
		return ledgerImage{}, fmt.Errorf("look for the image of process type %s: %w", t, err)
	}
	found, err := ledgerManifest(content)
	if err != nil {
		return ledgerImage{}, renga.Errorf(renga.Invalid, "The image of process type %s cannot run: %w. Push it again.", t,
			err)
	}
	found.repository = repository
	return found, nil
}

// ledgerManifest parses the manifest of an image for one platform.
func ledgerManifest(content []byte) (ledgerImage, error) {
	var head struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return ledgerImage{}, fmt.Errorf("its manifest is no JSON: %w", err)
	}
	switch head.MediaType {
	case "": // OCI lets it away
		head.MediaType = v1.MediaTypeImageManifest
	case v1.MediaTypeImageManifest, schema2.MediaTypeManifest:
	default:
		return ledgerImage{}, fmt.Errorf("%s is not one image", head.MediaType)
	}
	manifest, desc, err := distribution.UnmarshalManifest(head.MediaType, content)
	if err != nil {
		return ledgerImage{}, fmt.Errorf("its manifest is invalid: %w", err)
	}
	return ledgerImage{manifest: manifest, desc: desc}, nil
}

// source is the repository that an image was pushed to.
func (p ledgerPlace) source(ctx context.Context, t renga.ProcessType,
	img renga.Image) (distribution.Repository, error) {
	name, err := reference.WithName(p.app + "/" + string(img.PushedTo()))
	if err != nil {
		return nil, fmt.Errorf("repository %q of process type %s: %w", img.Repository, t, err)
	}
	return p.ns.Repository(ctx, name)
}

// ledgerLinked tells whether a repository has a manifest.
func ledgerLinked(ctx context.Context, repository distribution.Repository, id string) (bool, error) {
	manifests, err := repository.Manifests(ctx)
	if err != nil {
		return false, err
	}
	linked, err := manifests.Exists(ctx, digest.Digest(id))
	if ledgerBadLink(err) {
		return false, nil
	}
	return linked, err
}

// ledgerHas proves that a part of an image is linked, there, and has its size.
func ledgerHas(ctx context.Context, blobs distribution.BlobStatter, t renga.ProcessType, part v1.Descriptor) error {
	got, err := blobs.Stat(ctx, part.Digest)
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown) || ledgerBadLink(err):
		return ledgerGone(t, "blob", part.Digest.String())
	case err != nil:
		return fmt.Errorf("look for blob %s of process type %s: %w", part.Digest, t, err)
	case got.Size != part.Size:
		return renga.Errorf(renga.Invalid, "The image of process type %s is damaged: blob %s is %d bytes long, want %d. "+
			"Push it again.", t, part.Digest, got.Size, part.Size)
	}
	return nil
}

// ledgerBadLink tells whether err comes from a link that holds no digest. Such
// a link is as good as none.
func ledgerBadLink(err error) bool {
	return errors.Is(err, digest.ErrDigestInvalidFormat) || errors.Is(err, digest.ErrDigestInvalidLength) ||
		errors.Is(err, digest.ErrDigestUnsupported)
}

func ledgerGone(t renga.ProcessType, what, id string) error {
	return renga.Errorf(renga.NotFound,
		"The image of process type %s is no longer in the registry: %s %s is missing. Push it again.", t, what, id)
}
