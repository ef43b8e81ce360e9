package runtime

import (
	"context"
	"io"
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
	// never start (no such command, image gone); any other may pass. When it
	// returns an error, nothing of the instance is left.
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

// Tailer is an Engine that can tell an instance's last output.
type Tailer interface {
	// Tail gives up to n last lines of stdout and stderr, oldest first.
	Tail(ctx context.Context, id string, n int) ([]string, error)
}

// OutputReader is an Engine that can tell an instance's output with its times.
type OutputReader interface {
	// ReadOutput calls tell with all that the instance printed since a time,
	// and goes on until it has ended and all was told; then, and for an instance
	// that is gone, it returns nil. Reading again tells the same in the same
	// order.
	ReadOutput(ctx context.Context, id string, since time.Time, tell func(Printed)) error
}

// Printed is a line, or a part of a long one.
type Printed struct {
	Time   time.Time
	Stderr bool
	Text   string
	// More says that the line goes on in the next of the same stream.
	More bool
}

// Ender is an Engine that can end an instance gently and keep it.
type Ender interface {
	// Terminate sends SIGTERM, after grace SIGKILL, and keeps the instance, exited,
	// for List. Killed says that SIGKILL was needed. Terminating one that is gone or
	// exited is no error.
	Terminate(ctx context.Context, id string, grace time.Duration) (killed bool, err error)
}

// Attacher is an Engine that can hand out an instance's input and output.
type Attacher interface {
	// Prepare is Start but for the last step: the instance is made, and its
	// Stream is attached. Spec.Attach says how. List shows it as Created.
	Prepare(ctx context.Context, s Spec) (Instance, Stream, error)
}

// Stream is the input and output of an attached instance. Reading gives stdout
// and stderr in the order they come, and io.EOF once the instance has ended.
type Stream interface {
	io.ReadWriteCloser // Close detaches, and leaves the instance alone
	// Begin starts the instance. Its errors are Start's.
	Begin(ctx context.Context) error
	// CloseWrite ends the instance's input.
	CloseWrite() error
	// Resize tells a terminal its new size.
	Resize(ctx context.Context, w renga.Window) error
	// Wait returns when the instance has ended, with its exit code.
	Wait(ctx context.Context) (code int, err error)
}

// PortLister is an Engine that can tell where an instance listens.
type PortLister interface {
	// Ports lists what the instance listens on, as host:port, for instance
	// 127.0.0.1:3000 or [::]:9999.
	Ports(ctx context.Context, id string) ([]string, error)
}

// Measurer is an Engine that can tell what instances use.
type Measurer interface {
	// Measure tells what a running instance uses now. One that does not run is
	// renga.NotFound.
	Measure(ctx context.Context, id string) (renga.Usage, error)
}

// DiskGuard is an Engine that can tell which instances write too much.
type DiskGuard interface {
	// GuardDisks calls over with every running instance that has more on its own
	// disk than its Spec's Size.DiskBytes, and with how much that is, soon after it
	// has. As long as it runs it may be told again. It returns when ctx ends or the
	// engine is away.
	GuardDisks(ctx context.Context, over func(i Instance, bytes int64)) error
}

// Forgetter is an Engine that keeps things per app besides instances, such as
// networks.
type Forgetter interface {
	// Forget removes them once the app has no instances. It is no error when
	// there are none.
	Forget(ctx context.Context, app renga.AppID) error
}

// Spec is all an engine needs to start one dyno.
type Spec struct {
	App     renga.AppID
	AppName string
	Dyno    string // a new UUID: the dyno's id
	Name    string // web.1
	Type    renga.ProcessType
	Release int
	Image   renga.Image
	// Env is complete: release, PORT, DYNO and the rest.
	Env  renga.Vars
	Size renga.Size
	// Port is where a web dyno must listen, inside; 0 for all others.
	Port int
	// NoInit makes the command the first process of the instance, without an init
	// before it that reaps children and hands on signals.
	NoInit bool
	// Crashes says how often in a row the dyno crashed before this start.
	Crashes int
	// Until is when a one-off dyno must have ended; zero for others.
	Until time.Time
	// Attach makes an instance whose input and output belong to one client, and
	// are kept nowhere; nil for all others.
	Attach *Attach
}

// Attach says how an instance is attached.
type Attach struct {
	// Terminal is the first size of its terminal; nil for no terminal.
	Terminal *renga.Window
}

// Instance is one dyno that an engine runs or ran.
type Instance struct {
	ID       string // the engine's
	App      renga.AppID
	Dyno     string // Spec.Dyno
	Name     string
	Type     renga.ProcessType
	Size     string // Size.Name
	Release  int
	Command  []string
	Crashes  int
	Until    time.Time // Spec.Until
	Attached bool      // there was a Spec.Attach

	State      InstanceState
	Addr       string // host:port of a running web dyno, as the router reaches it
	Dir        string // that its command runs in
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time // zero unless Exited
	ExitCode   int       // when Exited
	OOMKilled  bool      // when Exited
	OverDisk   bool      // it had too much on its disk and was ended; the manager's own

	// Health is what the image's own check says of a running web dyno, and
	// HealthSaid what that printed when it failed.
	Health     Health
	HealthSaid string
}

// Health is what an image's own check says.
type Health string

// What it may say.
const (
	NoHealth  Health = "" // there is no check
	Untried   Health = "untried"
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// InstanceState is what an instance does. It only moves forward.
type InstanceState string

// The states of an instance.
const (
	Created InstanceState = "created" // made, and not started; left by a crash of ours
	Running InstanceState = "running"
	Exited  InstanceState = "exited"
)
