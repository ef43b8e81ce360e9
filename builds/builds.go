// Package builds makes images of source code and releases them: what is pushed by git,
// and archives that somebody sends or names.
//
// A build is a record in the store and a file with its source before anything is done.
// The builds of one app are done one after the other, those of several apps at once, up
// to a bound. The image is pushed into the registry with the build's id, so that a build
// makes one release, whenever we are killed:
//
//	pending -> succeeded, failed
//
// At the next start a build that was cut short is done again, unless somebody waited for
// it, for they were told that it failed.
package builds

import (
	"archive/tar"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"renga"
)

// Store keeps builds. An app or a build that is gone is renga.NotFound.
type Store interface {
	AppsWithBuilds(ctx context.Context) ([]renga.AppID, error)
	ForgetBuilds(ctx context.Context, app renga.AppID) error
	// Builds lists them oldest first.
	Builds(ctx context.Context, app renga.AppID) ([]renga.Build, error)
	// AddBuild gives a build its number. TooMany if too many are not over.
	AddBuild(ctx context.Context, b renga.Build) (renga.Build, error)
	EditBuild(ctx context.Context, app renga.AppID, id string, edit func(*renga.Build) error) (renga.Build, error)
}

// Platform knows apps, accounts and releases.
type Platform interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
	// ReleaseByPush is NotFound if the push made no release.
	ReleaseByPush(ctx context.Context, app renga.AppID, pushID string) (version int, err error)
}

// Releases give an app's newest release.
type Releases interface {
	Newest(ctx context.Context, app renga.AppID) (renga.Release, error)
}

// Registry takes images and gives them back.
type Registry interface {
	// PushBuilt pushes an image and releases it.
	PushBuilt(ctx context.Context, b renga.BuiltImage) error
	// ImageParts are the manifest and the config of a stored image; NotFound if it is gone.
	ImageParts(ctx context.Context, app renga.App, digest string) (manifest, config []byte, err error)
	// ImageBlob is a blob of such an image, if it has up to limit bytes.
	ImageBlob(ctx context.Context, app renga.App, digest string, limit int64) ([]byte, error)
}

// Maker makes images.
type Maker interface {
	// Make makes an image. What it says goes to output as it comes. Renga.Invalid is the
	// source's fault, and its sentence says what to do.
	Make(ctx context.Context, j Job, output io.Writer) (Image, error)
	// RemoveLeftovers removes what a Renga before this one was killed over.
	RemoveLeftovers(ctx context.Context) error
	// Forget removes what is kept of an app between its builds.
	Forget(ctx context.Context, app renga.AppID) error
}

// Job is an image to be made.
type Job struct {
	Build renga.Build
	App   renga.App
	// Env is what the build may know: config vars, those of add-ons, too.
	Env renga.Vars
	// Source writes the source into a tar, below a folder, owned by a user.
	Source func(w *tar.Writer, folder string, uid, gid int) error
	// Previous is the image of the release before, whose layers need not be made anew; nil
	// for none.
	Previous *PreviousImage
	// Labels and RunEnv are for the image.
	Labels map[string]string
	RunEnv map[string]string
}

// PreviousImage is an image that is stored.
type PreviousImage struct {
	Manifest, Config []byte
	// Blob reads one of its layers, if that has up to limit bytes.
	Blob func(ctx context.Context, digest string, limit int64) ([]byte, error)
}

// Image is one that was made, in a place of its own until it is closed.
type Image interface {
	// Manifest gives the media type and the bytes.
	Manifest() (mediaType string, body []byte)
	// Open opens a blob. It has no layers of the image before.
	Open(digest string) (io.ReadCloser, error)
	Close() error
}

// Outputs keep what builds say, by their numbers.
type Outputs interface {
	Record(app renga.AppID, number int) (io.WriteCloser, error)
	Follow(ctx context.Context, app renga.AppID, number int, w io.Writer, over func(context.Context) (bool, error)) error
	Forget(app renga.AppID) error
}

// AppLog writes a line into an app's log.
type AppLog interface {
	Line(app renga.AppID, source, dyno, text string)
}

// Options are what the room works with.
type Options struct {
	// Dir has the sources of builds that are not over.
	Dir string
	// Builder is the image that builds apps that name no other.
	Builder string
	// Parallel bounds how many builds are under way at once, Timeout how long one takes.
	Parallel int
	Timeout  time.Duration
	// MaxSource bounds the bytes of one source as it is sent.
	MaxSource int64
	// CheckSpace is an error while the disk is too full for a build.
	CheckSpace func() error
	// Dial connects to where sources are fetched, and refuses forbidden addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Log *slog.Logger
	Now func() time.Time
}

// Builds builds what is asked for.
type Builds struct {
	Options
	store    Store
	platform Platform
	releases Releases
	registry Registry
	maker    Maker
	outputs  Outputs
	logs     AppLog
	fetcher  *http.Client

	wake     chan struct{}
	arriving chan struct{} // has one for each source that comes in

	mu      sync.Mutex
	running map[renga.AppID]*running
	// ours are the builds that were asked for before it was dealt with what a Renga before
	// this one left; nil from then on.
	ours  map[string]bool
	tries sync.WaitGroup
}

// maxArriving bounds how many sources come in at once: none counts for its app before it
// is here.
const maxArriving = 16

// running is a build under way.
type running struct {
	build renga.Build
	end   context.CancelCauseFunc
}

// Parts are the rooms that the room needs.
type Parts struct {
	Store    Store
	Platform Platform
	Releases Releases
	Registry Registry
	Maker    Maker
	Outputs  Outputs
	Logs     AppLog
}

// New makes the room. Nothing is started.
func New(o Options, p Parts) *Builds {
	return &Builds{
		Options: o, store: p.Store, platform: p.Platform, releases: p.Releases, registry: p.Registry, maker: p.Maker,
		outputs: p.Outputs, logs: p.Logs, wake: make(chan struct{}, 1), arriving: make(chan struct{}, maxArriving),
		running: map[renga.AppID]*running{}, ours: map[string]bool{},
		fetcher: newFetcher(o.Dial),
	}
}
