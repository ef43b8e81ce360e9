package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"renga"
)

// Media types of manifests and image configs (OCI image-spec v1.1; Docker
// image manifest v2, schema 2).
const (
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIConfig      = "application/vnd.oci.image.config.v1+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// imageConfigTypes are the types of config that Docker takes for an image's: its
// own, OCI's, and what old registries made of its own, which clients then wrote
// into manifests (github.com/docker/distribution/issues/1621).
var imageConfigTypes = []string{
	typeDockerConfig, typeOCIConfig, "application/octet-stream", "application/json", "text/html", "",
}

const (
	maxManifestBytes = 4 << 20
	maxConfigBytes   = 4 << 20
	maxIndexDepth    = 4
)

// errNotStored says that the repository lacks something a manifest names.
// Distribution then refuses the manifest in its own words.
var errNotStored = errors.New("not stored in this repository")

// imageSource is one repository's content.
type imageSource interface {
	// manifest gives a manifest's media type and bytes; errNotStored if missing.
	manifest(ctx context.Context, digest string) (mediaType string, body []byte, err error)
	// blob gives a small blob; errNotStored if missing, kind Invalid if larger
	// than limit bytes.
	blob(ctx context.Context, digest string, limit int64) ([]byte, error)
	// blobSize is a blob's size in bytes; errNotStored if missing.
	blobSize(ctx context.Context, digest string) (int64, error)
}

// manifestDoc is what matters of a manifest or an index.
type manifestDoc struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *contentRef  `json:"config"`
	Layers        []contentRef `json:"layers"`
	Manifests     []contentRef `json:"manifests"`
}

// contentRef is an OCI descriptor.
type contentRef struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	URLs      []string  `json:"urls"`
	Platform  *platform `json:"platform"`
}

// imageConfig is what matters of an image's config.
type imageConfig struct {
	platform
	Config struct {
		Entrypoint []string          `json:"Entrypoint"`
		Cmd        []string          `json:"Cmd"`
		Labels     map[string]string `json:"Labels"`
	} `json:"config"`
}

// foundImage is a manifest that is an image, with its parsed config. If an
// index names it and the repository does not have it, only digest and platform
// are known.
type foundImage struct {
	digest string
	absent bool
	doc    manifestDoc
	config imageConfig
}

// imageReader turns pushed manifests into what a release needs.
type imageReader struct {
	source   imageSource
	platform platform
	maxBytes int64 // sum of compressed layers; 0 means no limit
	// measure refuses layers that the engine cannot or must not unpack; nil
	// refuses none.
	measure func(ctx context.Context, layers []contentRef) error
}

// read finds the image that a manifest brings for the platform, and the process
// types it declares when it was pushed to "<app>/<process>". The map is nil
// when the manifest is not an image but something to be stored: a build cache,
// an attestation, a chart. An image that cannot run here is renga.Invalid;
// errNotStored means that distribution will refuse the manifest.
func (r imageReader) read(ctx context.Context, app string, process renga.ProcessType, mediaType string,
	body []byte) (map[renga.ProcessType]renga.Image, error) {
	found, err := r.find(ctx, mediaType, body)
	if found == nil || err != nil {
		return nil, err
	}
	size, err := r.layersSize(ctx, found.doc.Layers)
	if err != nil {
		return nil, err
	}
	commands, err := commandsOf(process, found.config)
	if err != nil {
		return nil, err
	}
	if r.measure != nil {
		if err := r.measure(ctx, found.doc.Layers); err != nil {
			return nil, err
		}
	}
	images := make(map[renga.ProcessType]renga.Image, len(commands))
	for t, argv := range commands {
		images[t] = renga.Image{
			Repository: app + "/" + string(process),
			Digest:     found.digest,
			Pushed:     digest.FromBytes(body).String(),
			Config:     found.doc.Config.Digest,
			Command:    argv,
			Size:       size,
		}
	}
	return images, nil
}

// find picks the image for the platform out of a manifest or an index; nil
// when there is no image at all. An index may name images for other platforms
// that were never pushed.
func (r imageReader) find(ctx context.Context, mediaType string, body []byte) (*foundImage, error) {
	images, err := r.images(ctx, mediaType, body, digest.FromBytes(body).String(), maxIndexDepth)
	if len(images) == 0 || err != nil {
		return nil, err
	}
	best, absent := -1, false
	for i, img := range images {
		switch {
		case !r.platform.runs(img.config.platform):
		case img.absent:
			absent = true
		case best < 0 || r.platform.fit(img.config.platform) > r.platform.fit(images[best].config.platform):
			best = i
		}
	}
	switch {
	case best >= 0:
		return &images[best], nil
	case absent:
		return nil, errNotStored
	}
	return nil, renga.Errorf(renga.Invalid, "This image is for %s; this platform runs %s. Build it with --platform %s.",
		platformsOf(images), r.platform, r.platform)
}

// images lists the images in a manifest, or in an index and the indexes in it.
func (r imageReader) images(ctx context.Context, mediaType string, body []byte, dgst string,
	depth int) ([]foundImage, error) {
	var doc manifestDoc
	if json.Unmarshal(body, &doc) != nil {
		return nil, errNotStored // distribution says what is wrong with it
	}
	switch mediaType {
	case typeOCIManifest, typeDockerManifest:
		img, err := r.image(ctx, doc, dgst)
		if img == nil || err != nil {
			return nil, err
		}
		return []foundImage{*img}, nil
	case typeOCIIndex, typeDockerList:
	default:
		return nil, nil
	}
	var all []foundImage
	for _, child := range doc.Manifests {
		images, err := r.child(ctx, child, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, images...)
	}
	return all, nil
}

// child lists the images below one entry of an index. The platform that the
// index gives goes before the one in the image's config.
func (r imageReader) child(ctx context.Context, c contentRef, depth int) ([]foundImage, error) {
	var named platform
	if c.Platform != nil {
		named = *c.Platform
	}
	if named.nowhere() || depth == 0 {
		return nil, nil
	}
	mediaType, body, err := r.source.manifest(ctx, c.Digest)
	if errors.Is(err, errNotStored) {
		return []foundImage{{digest: c.Digest, absent: true, config: imageConfig{platform: named.or(r.platform).normal()}}},
			nil
	}
	if err != nil {
		return nil, err
	}
	images, err := r.images(ctx, mediaType, body, c.Digest, depth-1)
	for i, img := range images {
		images[i].config.platform = named.or(img.config.platform).normal()
	}
	return images, err
}

// image reads a manifest's config; nil when it is not an image's.
func (r imageReader) image(ctx context.Context, doc manifestDoc, dgst string) (*foundImage, error) {
	if doc.Config == nil || !slices.Contains(imageConfigTypes, doc.Config.MediaType) {
		return nil, nil
	}
	raw, err := r.source.blob(ctx, doc.Config.Digest, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	img := &foundImage{digest: dgst, doc: doc}
	if err := json.Unmarshal(raw, &img.config); err != nil {
		return nil, renga.Errorf(renga.Invalid, "The image's config cannot be read (%s). Build the image again.",
			jsonReason(err))
	}
	if img.config.platform.nowhere() {
		return nil, nil
	}
	// Docker takes an image that does not name a platform to be for the
	// machine's.
	img.config.platform = img.config.or(r.platform).normal()
	return img, nil
}

// layersSize adds up what the layers really take, and checks that they are all
// here and as large as the manifest says: the engine would find out too late.
func (r imageReader) layersSize(ctx context.Context, layers []contentRef) (int64, error) {
	var sum int64
	for _, l := range layers {
		if len(l.URLs) > 0 {
			return 0, renga.Errorf(renga.Invalid, "Layer %s is kept elsewhere. Push the image with all its layers.",
				clipText(l.Digest))
		}
		size, err := r.source.blobSize(ctx, l.Digest)
		if err != nil {
			return 0, err
		}
		if size != l.Size {
			return 0, renga.Errorf(renga.Invalid, "Layer %s has %d bytes, and the manifest says %d. Push the image again.",
				clipText(l.Digest), size, l.Size)
		}
		sum += size
	}
	if r.maxBytes > 0 && sum > r.maxBytes {
		return 0, renga.Errorf(renga.Invalid, "This image has %s of layers; this platform takes up to %s. Push a smaller "+
			"image.", humanBytes(sum), humanBytes(r.maxBytes))
	}
	return sum, nil
}

// platformsOf lists what images are for, each once, in order, not endlessly.
func platformsOf(images []foundImage) string {
	var names []string
	for _, img := range images {
		names = append(names, img.config.platform.String())
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	return strings.Join(names, ", ")
}

// jsonReason says what is wrong with JSON without repeating its content.
func jsonReason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is of the wrong type", clipText(kind.Field))
	}
	return "not JSON"
}
