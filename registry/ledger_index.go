package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"renga"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The names by which a release is known in the registry.
const (
	ledgerArtifactType = "application/vnd.renga.release.v1"
	ledgerSealedType   = "application/vnd.renga.release.sealed.v1"

	// On the index. Nothing here is secret.
	ledgerAnnotationApp      = "renga.app.id"
	ledgerAnnotationAppName  = "renga.app.name"
	ledgerAnnotationVersion  = "renga.version"
	ledgerAnnotationPrevious = "renga.previous"
	// On the descriptor of each image.
	ledgerAnnotationType = "renga.process-type"
)

// ledgerIndex is what a release's index says: all but the secrets.
type ledgerIndex struct {
	App      renga.AppID
	AppName  string
	Version  int
	Created  time.Time
	Previous string
	Images   map[renga.ProcessType]v1.Descriptor
	Artifact v1.Descriptor
}

// newLedgerIndex is the index of r, still without descriptors.
func newLedgerIndex(r renga.Release) ledgerIndex {
	return ledgerIndex{
		App: r.App, AppName: r.AppName, Version: r.Version, Created: r.CreatedAt.UTC(), Previous: r.Previous,
		Images: map[renga.ProcessType]v1.Descriptor{},
	}
}

// marshal writes the index, images in the order of their types, artifact last.
func (x ledgerIndex) marshal() ([]byte, error) {
	index := v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex,
		Annotations: map[string]string{
			ledgerAnnotationApp: string(x.App), ledgerAnnotationAppName: x.AppName,
			ledgerAnnotationVersion: strconv.Itoa(x.Version), v1.AnnotationCreated: x.Created.Format(time.RFC3339Nano),
		},
	}
	if x.Previous != "" {
		index.Annotations[ledgerAnnotationPrevious] = x.Previous
	}
	for _, t := range slices.Sorted(maps.Keys(x.Images)) {
		d := x.Images[t]
		d.Annotations = map[string]string{ledgerAnnotationType: string(t)}
		index.Manifests = append(index.Manifests, d)
	}
	artifact := x.Artifact
	artifact.ArtifactType = ledgerArtifactType
	artifact.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	index.Manifests = append(index.Manifests, artifact)
	return json.Marshal(index)
}

// parseLedgerIndex is the reverse of marshal and refuses what marshal does not
// write.
func parseLedgerIndex(content []byte) (ledgerIndex, error) {
	var index v1.Index
	if err := json.Unmarshal(content, &index); err != nil {
		return ledgerIndex{}, flawf("the index is no JSON of an image index")
	}
	if index.MediaType != v1.MediaTypeImageIndex || index.SchemaVersion != 2 || len(index.Manifests) == 0 {
		return ledgerIndex{}, flawf("the index is no release: media type %q, %d manifests", index.MediaType,
			len(index.Manifests))
	}
	x, err := parseLedgerAnnotations(index.Annotations)
	if err != nil {
		return ledgerIndex{}, err
	}
	last := len(index.Manifests) - 1
	x.Artifact = index.Manifests[last]
	if x.Artifact.ArtifactType != ledgerArtifactType || !renga.ValidDigest(x.Artifact.Digest.String()) {
		return x, flawf("the index's last manifest is no release artifact")
	}
	for _, d := range index.Manifests[:last] {
		t := renga.ProcessType(d.Annotations[ledgerAnnotationType])
		if _, twice := x.Images[t]; twice || renga.ValidateProcessType(t) != nil || !renga.ValidDigest(d.Digest.String()) {
			return x, flawf("the index names an image wrongly: process type %q, digest %q", t, d.Digest)
		}
		x.Images[t] = d
	}
	return x, nil
}

// parseLedgerAnnotations reads the index's annotations.
func parseLedgerAnnotations(annotations map[string]string) (ledgerIndex, error) {
	x := ledgerIndex{
		App: renga.AppID(annotations[ledgerAnnotationApp]), AppName: annotations[ledgerAnnotationAppName],
		Previous: annotations[ledgerAnnotationPrevious], Images: map[renga.ProcessType]v1.Descriptor{},
	}
	version, err := strconv.Atoi(annotations[ledgerAnnotationVersion])
	if err != nil || version < 1 || strconv.Itoa(version) != annotations[ledgerAnnotationVersion] {
		return x, flawf("the index's version %q is no number", annotations[ledgerAnnotationVersion])
	}
	x.Version = version
	if x.Created, err = time.Parse(time.RFC3339Nano, annotations[v1.AnnotationCreated]); err != nil {
		return x, flawf("the index's time %q is no time", annotations[v1.AnnotationCreated])
	}
	x.Created = x.Created.UTC()
	if x.App == "" || (version == 1) != (x.Previous == "") || x.Previous != "" && !renga.ValidDigest(x.Previous) {
		return x, flawf("the index does not say whose release it is, or follows %q", x.Previous)
	}
	return x, nil
}

// agrees compares the index with the sealed document.
func (x ledgerIndex) agrees(r renga.Release) error {
	for _, fact := range []struct{ name, clear, sealed string }{
		{"app", string(x.App), string(r.App)},
		{"app name", x.AppName, r.AppName},
		{"version", strconv.Itoa(x.Version), strconv.Itoa(r.Version)},
		{"time", x.Created.Format(time.RFC3339Nano), r.CreatedAt.Format(time.RFC3339Nano)},
		{"previous release", x.Previous, r.Previous},
		{
			"images",
			ledgerDigests(x.Images, func(d v1.Descriptor) string { return d.Digest.String() }),
			ledgerDigests(r.Inputs.Images, func(img renga.Image) string { return img.Digest }),
		},
	} {
		if fact.clear != fact.sealed {
			return flawf("the index names %s %q, the sealed document %q", fact.name, fact.clear, fact.sealed)
		}
	}
	return nil
}

// ledgerDigests writes process types with their digests, in order.
func ledgerDigests[T any](images map[renga.ProcessType]T, digest func(T) string) string {
	var all []string
	for _, t := range slices.Sorted(maps.Keys(images)) {
		all = append(all, fmt.Sprintf("%s=%s", t, digest(images[t])))
	}
	return fmt.Sprint(all)
}

// ledgerArtifact is the manifest that carries a sealed document.
func ledgerArtifact(sealed v1.Descriptor) ([]byte, error) {
	empty := v1.DescriptorEmptyJSON
	empty.Data = nil
	sealed.MediaType = ledgerSealedType
	return json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		ArtifactType: ledgerArtifactType, Config: empty, Layers: []v1.Descriptor{sealed},
	})
}

// parseLedgerArtifact finds the sealed document of an artifact manifest.
func parseLedgerArtifact(content []byte) (v1.Descriptor, error) {
	var m v1.Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return v1.Descriptor{}, flawf("the artifact manifest is no JSON of a manifest")
	}
	if m.ArtifactType != ledgerArtifactType || len(m.Layers) != 1 || m.Layers[0].MediaType != ledgerSealedType ||
		!renga.ValidDigest(m.Layers[0].Digest.String()) {
		return v1.Descriptor{}, flawf("the artifact manifest carries no sealed document")
	}
	return m.Layers[0], nil
}
