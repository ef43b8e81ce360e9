package renga

import "time"

// StoredImage is a manifest that was pushed to an app's repository: an image, an index
// of images, or an artifact such as a signature.
type StoredImage struct {
	Process  ProcessType // whose repository it is in
	Digest   string
	PushedAt time.Time // last
	Tags     []string  // that name it
}

// StoredManifest is what a manifest says of itself.
type StoredManifest struct {
	MediaType, ArtifactType string
	Subject                 string // the digest of what it refers to; empty for nothing
	Size                    int64  // of the manifest, its config and its layers, in bytes
	Config                  *StoredContent
	Layers                  []StoredContent
	Manifests               []StoredContent // of an index
	Referrers               []StoredContent // the first hundred
}

// StoredContent is what a manifest names.
type StoredContent struct {
	Digest, MediaType, ArtifactType string
	Platform                        string // "linux/amd64"; empty if it is not said
	Size                            int64  // in bytes
}

// StoredConfig is what an image's config says, but for the environment and the history,
// which may hold secrets.
type StoredConfig struct {
	Platform  string
	CreatedAt time.Time // zero if it is not said
	Labels    map[string]string
}

// StoredTag is a tag with what it names.
type StoredTag struct {
	Process   ProcessType
	Name      string
	Digest    string
	UpdatedAt time.Time
}
