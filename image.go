package renga

import (
	"regexp"
	"slices"
	"time"
)

// Image is what one process type runs: content by digest, never a tag, and the
// whole command line.
type Image struct {
	// Repository is "<app>/<process type>", where the image was pushed.
	Repository string
	// Digest is that of the platform's manifest, "sha256:<hex>".
	Digest string
	// Pushed is the digest that the tag named: Digest itself or an index's.
	Pushed string
	// Config is the digest of the image's config, which clients call image id.
	Config string
	// Command is the argument vector that runs, entrypoint included.
	Command []string
	// Size is the sum of the compressed layers, in bytes.
	Size int64
}

// Same tells whether two images run the same thing.
func (i Image) Same(o Image) bool {
	return i.Digest == o.Digest && i.Repository == o.Repository && slices.Equal(i.Command, o.Command)
}

// Push is one image push that asks for a release.
type Push struct {
	// ID is made when the push arrives and makes a replay harmless.
	ID string
	// App is the app's name: the first part of the repository.
	App string
	// Images are the process types the pushed image declares, at least one.
	Images map[ProcessType]Image
	By     AccountID
	At     time.Time
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ValidDigest tells whether s is a sha256 digest as OCI writes it
// (image-spec, descriptor.md, "Digests").
func ValidDigest(s string) bool { return digest.MatchString(s) }
