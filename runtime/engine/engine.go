package engine

import (
	"context"
	"time"

	"renga"
)

// Engine runs single dynos. It never decides how many, never restarts one, and
// touches nothing that it did not make for this platform. All methods may be
// called at once from several goroutines. A dead engine answers every call with
// an error of kind renga.Unavailable.
type Engine interface {
	// List tells of every instance of app, exited ones included; of every app
	// when app is empty.
	List(ctx context.Context, app renga.AppID) ([]Instance, error)
	// Start fetches the image when it is absent, then makes and starts an
	// instance. An error of kind renga.Invalid means that the same spec will
	// never start (no such command, image gone); any other may pass, and so may that
	// a disk is not there: an engine makes none. When it returns an error, nothing of
	// the instance is left.
	Start(ctx context.Context, s Spec) (Instance, error)
	// Stop sends SIGTERM, after grace SIGKILL, and removes the instance.
	// Stopping one that is gone is no error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Kill ends the instance at once with SIGKILL and keeps it, exited, for
	// List. Killing one that is gone or exited is no error.
	Kill(ctx context.Context, id string) error
	// Watch calls tell with all that happens: an instance started or ended, or
	// something in it was killed for lack of memory. It returns when ctx ends or the
	// connection breaks; events may be lost, for they only make a look come sooner.
	Watch(ctx context.Context, tell func(Event)) error
}

// Event is something that happened to an app's instance.
type Event struct {
	App renga.AppID
	// OutOfMemory says that one of its processes used more memory than the instance
	// may, and was killed, be it the first one or a child. Only then is it told
	// which instance that is.
	OutOfMemory bool
	Instance    Instance // ID, Name and Size
}
