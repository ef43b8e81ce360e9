package renga

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Image is what one process type runs: content by digest, never a tag, and the
// whole command line.
type Image struct {
	// Repository is "<app>/<process type>", where the image was pushed, by the
	// name that the app had then.
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

// PushedTo is the process type that the image was pushed to. It ignores the
// app's name, for apps are renamed, and images promoted.
func (i Image) PushedTo() ProcessType {
	_, part, _ := strings.Cut(i.Repository, "/")
	return ProcessType(part)
}

// Same tells whether two images of an app run the same thing.
func (i Image) Same(o Image) bool {
	return i.Digest == o.Digest && i.PushedTo() == o.PushedTo() && slices.Equal(i.Command, o.Command)
}

// Deploy asks for a release of images that are stored already.
type Deploy struct {
	// Images are, by the process type that was asked for, what its image
	// declares: that type, and perhaps others.
	Images map[ProcessType]map[ProcessType]Image
	// Remove lists the process types that are to go.
	Remove []ProcessType
	// Description describes the release; empty for one made of what it deploys.
	Description string
	// Canary is how the release takes over; the zero value for the app's own
	// setting.
	Canary Canary
}

// Push is one image push that asks for a release.
type Push struct {
	// ID is made when the push arrives and makes a replay harmless.
	ID string
	// App is the app's name: the first part of the repository.
	App string
	// AppID is the app that was pushed to; empty when the push is to make it.
	AppID AppID
	// Images are the process types the pushed image declares, at least one.
	Images map[ProcessType]Image
	By     AccountID
	At     time.Time
	// Description describes the release; empty for one made of the image's digest.
	Description string
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ValidDigest tells whether s is a sha256 digest as OCI writes it
// (image-spec, descriptor.md, "Digests").
func ValidDigest(s string) bool { return digest.MatchString(s) }
