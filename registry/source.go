package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"renga"
)

// storedRepository is one repository in distribution's storage.
type storedRepository struct{ distribution.Repository }

var _ imageSource = storedRepository{}

// repository opens "<app>/<process type>", which need not exist yet.
func (r *Registry) repository(ctx context.Context, name string) (storedRepository, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return storedRepository{}, fmt.Errorf("open repository %s: %w", name, err)
	}
	repo, err := r.storage.Repository(ctx, named)
	if err != nil {
		return storedRepository{}, fmt.Errorf("open repository %s: %w", name, err)
	}
	return storedRepository{repo}, nil
}

func (s storedRepository) manifest(ctx context.Context, dgst string) (string, []byte, error) {
	d, err := digest.Parse(dgst)
	if err != nil {
		return "", nil, errNotStored
	}
	manifests, err := s.Manifests(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("open manifests: %w", err)
	}
	m, err := manifests.Get(ctx, d)
	var unknown distribution.ErrManifestUnknownRevision
	switch {
	case errors.As(err, &unknown) || errors.Is(err, distribution.ErrBlobUnknown):
		return "", nil, errNotStored
	case err != nil:
		return "", nil, fmt.Errorf("read manifest %s: %w", dgst, err)
	}
	return m.Payload()
}

func (s storedRepository) blobSize(ctx context.Context, dgst string) (int64, error) {
	d, err := digest.Parse(dgst)
	if err != nil {
		return 0, errNotStored
	}
	desc, err := s.Blobs(ctx).Stat(ctx, d)
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown):
		return 0, errNotStored
	case err != nil:
		return 0, fmt.Errorf("look at blob %s: %w", dgst, err)
	}
	return desc.Size, nil
}

func (s storedRepository) blob(ctx context.Context, dgst string, limit int64) ([]byte, error) {
	size, err := s.blobSize(ctx, dgst)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, renga.Errorf(renga.Invalid, "The image's config has %s; up to %s are taken.", humanBytes(size),
			humanBytes(limit))
	}
	body, err := s.Blobs(ctx).Get(ctx, digest.Digest(dgst))
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", dgst, err)
	}
	return body, nil
}

// tag is the digest that a tag names; empty when there is no such tag.
func (s storedRepository) tag(ctx context.Context, name string) (string, error) {
	desc, err := s.Tags(ctx).Get(ctx, name)
	var unknown distribution.ErrTagUnknown
	switch {
	case errors.As(err, &unknown):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read tag %s: %w", name, err)
	}
	return string(desc.Digest), nil
}

// setTag points a tag to a digest; an empty digest removes the tag.
func (s storedRepository) setTag(ctx context.Context, name, dgst string) error {
	if dgst == "" {
		return s.Tags(ctx).Untag(ctx, name)
	}
	return s.Tags(ctx).Tag(ctx, name, distribution.Descriptor{Digest: digest.Digest(dgst)})
}
