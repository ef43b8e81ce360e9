package engine

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"

	"renga"
)

// Execer is an Engine that can run commands beside an instance's own.
type Execer interface {
	// Exec runs a command in a running instance, with the instance's environment.
	// NotFound means that the instance does not run, Invalid that an absolute
	// path is not in its image. The stream has begun; closing it hangs up.
	Exec(ctx context.Context, id string, argv []string, terminal *renga.Window) (Stream, error)
}

// Dialer is an Engine that can connect from where an instance is.
type Dialer interface {
	// Dial connects to a port from within an instance's own network: the loopback
	// address is the instance's, and names are what it finds by them. It never
	// connects from the platform's network to anything but the instance.
	Dial(ctx context.Context, id, host string, port uint16) (net.Conn, error)
}

// Filer is an Engine that can read the files of instances.
type Filer interface {
	// OpenFile opens a file of a running instance by its absolute path, and
	// follows links. NotFound means that there is none, Invalid that it is none to
	// read. Until it is closed the engine may tell nothing of the instance: read
	// it fast.
	OpenFile(ctx context.Context, id, path string) (fs.File, error)
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
