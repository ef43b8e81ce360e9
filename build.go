package renga

import (
	"io"
	"time"
)

// Build makes an image of source code with a builder's buildpacks, and releases it.
type Build struct {
	ID  string // a UUID; it is the push's id too, so that one build makes one release at most
	App AppID
	// Number counts the app's builds: 1, 2, 3 ….
	Number int
	By     AccountID
	State  BuildState
	// Source is what is built.
	Source BuildSource
	// Builder is the name of the builder's image, and Buildpacks are those that were
	// chosen instead of the ones that the builder detects.
	Builder    string
	Buildpacks []string
	// Reason says in a sentence why the build failed.
	Reason string
	// Replaces tells whether somebody waits for it, as BuildOrder says.
	Replaces bool
	// Digest is that of the image, once there is one.
	Digest string
	// Version is that of the release; 0 as long as there is none, and if the image is the
	// one that the newest release has.
	Version   int
	CreatedAt time.Time
	StartedAt time.Time // zero as long as it waits for its turn
	UpdatedAt time.Time
}

// BuildState is how far a build has come.
type BuildState string

// The states, as Heroku's API calls them. The last two are final.
const (
	BuildPending   BuildState = "pending"
	BuildSucceeded BuildState = "succeeded"
	BuildFailed    BuildState = "failed"
)

// Over tells whether the state is final.
func (s BuildState) Over() bool { return s == BuildSucceeded || s == BuildFailed }

// BuildSource says what source code is, as far as whoever sends it knows.
type BuildSource struct {
	// URL is where the archive was fetched, without its query and user; empty for what
	// was pushed by git.
	URL string
	// Checksum is that of the archive, "SHA256:<hex>"; empty if none was given.
	Checksum string
	// Commit is the commit's id, or whatever else tells versions of the source apart.
	Commit string
	// Branch, Author ("Name <email>") and Message (its first line) are the commit's.
	Branch, Author, Message string
}

// BuildOrder asks for a build.
type BuildOrder struct {
	App    AppID
	By     AccountID
	Source BuildSource
	// Buildpacks are instead of the app's, if there are any.
	Buildpacks []string
	// Replaces says that somebody waits for the build, as who pushes by git does. It ends
	// builds of the app before it that somebody waits for, for of two pushes the newer one
	// counts; and it ends with Renga, for then nobody waits any more.
	Replaces bool
}

// MaxBuilds is how many builds of an app are remembered. Those that are not over do not
// count.
const MaxBuilds = 100

// MaxOpenBuilds is how many builds of an app may wait or be under way at once.
const MaxOpenBuilds = 10

// BuiltImage is an image that was made on this machine, to be pushed and released.
type BuiltImage struct {
	Push        string // the push's id
	AppName     string
	By          Account
	Description string // of the release
	MediaType   string // of the manifest
	Manifest    []byte
	// Open opens a blob. It is not asked for those that the app's repository has.
	Open func(digest string) (io.ReadCloser, error)
}
