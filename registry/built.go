package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"renga"
)

// PushBuilt pushes an image that was made here to the release tag of "<app>/web", and so
// releases it. Blobs that the repository has are not read. Of its errors those of kind
// Unavailable, Internal, NoSpace and TooMany may pass; all others are final.
func (r *Registry) PushBuilt(ctx context.Context, b renga.BuiltImage) error {
	m := sourceManifest{mediaType: b.MediaType, body: b.Manifest, digest: digest.FromBytes(b.Manifest).String()}
	if err := checkManifest(m.mediaType, m.body); err != nil {
		return asFinal(err)
	}
	var doc manifestDoc
	if err := json.Unmarshal(m.body, &doc); err != nil || doc.Config == nil || !types.MediaType(m.mediaType).IsImage() {
		return renga.Errorf(renga.Invalid, "What was built is no image: its manifest cannot be read.")
	}
	t := transfer{
		into:       r.bringing("build", b.By, b.Push, b.Description),
		repository: b.AppName + "/" + string(renga.Web),
		open: func(_ context.Context, of contentRef) (*sourceBody, error) {
			body, err := b.Open(of.Digest)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, renga.Errorf(renga.Invalid, "The image that was built lacks %s, and the app has none. Build it again.",
					renga.Clip(of.Digest, 100))
			}
			if err != nil {
				return nil, fmt.Errorf("open a part of what was built: %w", err)
			}
			return &sourceBody{ReadCloser: body, left: of.Size, idle: func() {}, end: func() {}}, nil
		},
		fault:    func(err error) error { return fmt.Errorf("read what was built: %w", err) },
		progress: func(int64, int64) error { return nil },
	}
	if err := t.blobs(ctx, r.o.MaxImageBytes, append([]contentRef{*doc.Config}, doc.Layers...)); err != nil {
		return err
	}
	return t.putManifest(ctx, m, r.o.ReleaseTag)
}

// ImageParts are the manifest and the config of an image that a release of the app has.
// It is renga.NotFound if it is gone.
func (r *Registry) ImageParts(ctx context.Context, app renga.App, dgst string) (manifest, config []byte, err error) {
	repo, err := r.repository(ctx, app.Name+"/"+string(releasesPart))
	if err != nil {
		return nil, nil, err
	}
	_, manifest, err = repo.manifest(ctx, dgst)
	var doc manifestDoc
	if err == nil {
		err = json.Unmarshal(manifest, &doc)
	}
	if err == nil && doc.Config == nil {
		err = errNotStored
	}
	if err == nil {
		config, err = repo.blob(ctx, doc.Config.Digest, maxConfigBytes)
	}
	if errors.Is(err, errNotStored) {
		err = renga.Errorf(renga.NotFound, "The image %s is not stored any more.", clipText(dgst))
	}
	return manifest, config, err
}

// ImageBlob is a blob of an image that a release of the app has. It is renga.NotFound if
// it is gone, and renga.Invalid if it has more than limit bytes.
func (r *Registry) ImageBlob(ctx context.Context, app renga.App, dgst string, limit int64) ([]byte, error) {
	repo, err := r.repository(ctx, app.Name+"/"+string(releasesPart))
	if err != nil {
		return nil, err
	}
	content, err := repo.blob(ctx, dgst, limit)
	if errors.Is(err, errNotStored) {
		err = renga.Errorf(renga.NotFound, "The blob %s is not stored any more.", clipText(dgst))
	}
	return content, err
}
