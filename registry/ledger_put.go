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
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Put writes a release and returns its digest. Once it returns, the release
// survives a power loss. A crash or an error leaves the chain as it was, or
// with the complete release; the next Put of that number replaces what was
// left.
//
// The images must be in the registry, see Present. Put corrects the tag of the
// release before if it does not name r.Previous. It refuses an r.Previous that
// is not the version before of the same app. A full disk is renga.NoSpace.
func (l *Ledger) Put(ctx context.Context, r renga.Release) (string, error) {
	id, err := l.put(ctx, r)
	if err != nil {
		return "", fmt.Errorf("write release %s of app %s: %w", r.Name(), r.AppName, ledgerNoSpace(err))
	}
	return id, nil
}

func (l *Ledger) put(ctx context.Context, r renga.Release) (string, error) {
	if r.App == "" || r.Version < 1 || (r.Version == 1) != (r.Previous == "") {
		return "", fmt.Errorf("app id %q, previous %q: not a version", r.App, r.Previous)
	}
	w, err := l.begin(ctx, r.AppName)
	if err != nil {
		return "", err
	}
	defer w.drop()
	x := newLedgerIndex(r)
	for _, t := range slices.Sorted(maps.Keys(r.Inputs.Images)) {
		if err := w.link(ctx, t, r.Inputs.Images[t], &x); err != nil {
			return "", err
		}
	}
	w.batch.next()
	desc, err := w.write(ctx, r, x)
	if err != nil {
		return "", err
	}
	w.batch.next()
	if err := w.tag(ctx, r, desc); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return desc.Digest.String(), w.batch.commit()
}

// Link makes images of one app's releases part of another app's, without
// copies, so that they can be released there and outlive the first app. Once it
// returns, that survives a power loss. Like Put it may be called once at a time
// for an app.
func (l *Ledger) Link(ctx context.Context, from, to string, images map[renga.ProcessType]renga.Image) error {
	if err := l.linkImages(ctx, from, to, images); err != nil {
		return fmt.Errorf("link images of app %s to app %s: %w", from, to, ledgerNoSpace(err))
	}
	return nil
}

func (l *Ledger) linkImages(ctx context.Context, from, to string, images map[renga.ProcessType]renga.Image) error {
	w, err := l.begin(ctx, to)
	if err != nil {
		return err
	}
	defer w.drop()
	w.place.app = from
	x := ledgerIndex{Images: map[renga.ProcessType]v1.Descriptor{}}
	for _, t := range slices.Sorted(maps.Keys(images)) {
		img := images[t]
		img.Repository = from + "/" + string(releasesPart) // where every released image is
		if err := w.link(ctx, t, img, &x); err != nil {
			return err
		}
	}
	w.batch.next()
	if err := w.putManifests(ctx); err != nil {
		return err
	}
	return w.batch.commit()
}

// ledgerWriter writes one release: first blobs and their links, then manifests,
// then tags, all of it through one batch.
type ledgerWriter struct {
	*Ledger
	place     ledgerPlace // over the batch
	batch     *ledgerBatch
	manifests distribution.ManifestService
	linked    map[string]v1.Descriptor // images by digest; process types may share one
	held      []distribution.Manifest  // of images, for the second stage
	drops     []func()                 // let go of content that the release counts on
}

// hold keeps content from being collected until the release is written.
func (w *ledgerWriter) hold(digests ...string) { w.drops = append(w.drops, w.gate.hold(digests...)) }

func (w *ledgerWriter) drop() {
	for _, drop := range w.drops {
		drop()
	}
}

func (l *Ledger) begin(ctx context.Context, appName string) (*ledgerWriter, error) {
	name, err := ledgerRepository(appName)
	if err != nil {
		return nil, err
	}
	w := &ledgerWriter{
		Ledger: l, batch: newLedgerBatch(l.driver, l.dir, l.files, l.gate.use),
		place: ledgerPlace{app: appName}, linked: map[string]v1.Descriptor{},
	}
	if w.place.ns, err = ledgerNamespace(w.batch); err != nil {
		return nil, err
	}
	if w.place.releases, err = w.place.ns.Repository(ctx, name); err != nil {
		return nil, err
	}
	w.manifests, err = w.place.releases.Manifests(ctx)
	return w, err
}

// link makes an image's blobs part of the releases and puts the image into the
// index. It does not write existing links again, which makes a release with new
// config vars and old images cheap.
func (w *ledgerWriter) link(ctx context.Context, t renga.ProcessType, img renga.Image, x *ledgerIndex) error {
	if desc, again := w.linked[img.Digest]; again {
		x.Images[t] = desc
		return nil
	}
	w.hold(img.Digest)
	found, err := w.find(ctx, w.place, t, img)
	if err != nil {
		return err
	}
	for _, part := range found.manifest.References() {
		w.hold(part.Digest.String())
		if err := w.linkBlob(ctx, t, img, part); err != nil {
			return err
		}
	}
	if found.repository != w.place.releases {
		w.held = append(w.held, found.manifest)
	}
	found.desc.Platform, err = w.platform(ctx, found.manifest)
	x.Images[t], w.linked[img.Digest] = found.desc, found.desc
	return err
}

// linkBlob links one blob of an image from where it was pushed.
func (w *ledgerWriter) linkBlob(ctx context.Context, t renga.ProcessType, img renga.Image, part v1.Descriptor) error {
	blobs := w.place.releases.Blobs(ctx)
	if err := ledgerHas(ctx, blobs, t, part); renga.KindOf(err) != renga.NotFound {
		return err
	}
	source, err := w.place.source(ctx, t, img)
	if err != nil {
		return err
	}
	if err := ledgerHas(ctx, source.Blobs(ctx), t, part); err != nil {
		return err
	}
	from, err := reference.WithDigest(source.Named(), part.Digest)
	if err != nil {
		return err
	}
	_, err = blobs.Create(ctx, storage.WithMountFrom(from))
	var mounted distribution.ErrBlobMounted
	if !errors.As(err, &mounted) {
		return fmt.Errorf("link blob %s of process type %s: %w", part.Digest, t, err)
	}
	return nil
}

// platform reads an image's platform from its config; nil when it names none.
func (w *ledgerWriter) platform(ctx context.Context, m distribution.Manifest) (*v1.Platform, error) {
	content, err := w.blob(ctx, m.References()[0])
	if err != nil {
		return nil, err
	}
	var p v1.Platform
	if json.Unmarshal(content, &p) != nil || p.OS == "" || p.Architecture == "" {
		return nil, nil // not for us to refuse: it was taken as it is when pushed
	}
	return &p, nil
}

// write puts the images' manifests, the artifact and the index.
func (w *ledgerWriter) write(ctx context.Context, r renga.Release, x ledgerIndex) (v1.Descriptor, error) {
	if err := w.putManifests(ctx); err != nil {
		return v1.Descriptor{}, err
	}
	sealed, err := w.seal(ctx, r, x)
	if err != nil {
		return v1.Descriptor{}, err
	}
	content, err := ledgerArtifact(sealed)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if x.Artifact, err = w.manifest(ctx, v1.MediaTypeImageManifest, content); err != nil {
		return v1.Descriptor{}, err
	}
	if content, err = x.marshal(); err != nil {
		return v1.Descriptor{}, err
	}
	return w.manifest(ctx, v1.MediaTypeImageIndex, content)
}

// putManifests puts the manifests of images that are new to the repository.
func (w *ledgerWriter) putManifests(ctx context.Context) error {
	for _, m := range w.held {
		if _, err := w.manifests.Put(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// seal puts the sealed document, and the empty config that goes with it.
func (w *ledgerWriter) seal(ctx context.Context, r renga.Release, x ledgerIndex) (v1.Descriptor, error) {
	plain, err := marshalLedgerDocument(r)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer clear(plain)
	sealed, err := w.sealer.Seal(plain, ledgerBinding(x))
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("seal the document: %w", err)
	}
	blobs := w.place.releases.Blobs(ctx)
	w.hold(v1.DescriptorEmptyJSON.Digest.String(), r.Previous)
	if _, err := blobs.Stat(ctx, v1.DescriptorEmptyJSON.Digest); err != nil {
		if _, err := blobs.Put(ctx, v1.MediaTypeEmptyJSON, []byte("{}")); err != nil {
			return v1.Descriptor{}, err
		}
	}
	w.hold(digest.FromBytes(sealed).String())
	return blobs.Put(ctx, ledgerSealedType, sealed)
}

// manifest puts a manifest of our own.
func (w *ledgerWriter) manifest(ctx context.Context, mediaType string, content []byte) (v1.Descriptor, error) {
	m, desc, err := distribution.UnmarshalManifest(mediaType, content)
	if err != nil {
		return v1.Descriptor{}, err
	}
	w.hold(desc.Digest.String())
	_, err = w.manifests.Put(ctx, m)
	return desc, err
}

// tag tags the release, and the one before it again if that tag is lost or
// names what a crash left.
func (w *ledgerWriter) tag(ctx context.Context, r renga.Release, desc v1.Descriptor) error {
	tags := w.place.releases.Tags(ctx)
	if r.Version > 1 {
		before := renga.VersionName(r.Version - 1)
		named, err := tags.Get(ctx, before)
		if err != nil || named.Digest.String() != r.Previous {
			if err := w.precedes(ctx, r); err != nil {
				return err
			}
			if err := tags.Tag(ctx, before, v1.Descriptor{Digest: digest.Digest(r.Previous)}); err != nil {
				return err
			}
		}
	}
	return tags.Tag(ctx, r.Name(), desc)
}

// precedes proves that r.Previous is the version before r.
func (w *ledgerWriter) precedes(ctx context.Context, r renga.Release) error {
	before, _, err := w.read(ctx, r.Previous)
	if err != nil {
		return fmt.Errorf("follow %s: %w", r.Previous, err)
	}
	if before.App != r.App || before.Version != r.Version-1 {
		return fmt.Errorf("follow %s: it is %s of the app with id %s", r.Previous, before.Name(), before.App)
	}
	return nil
}
