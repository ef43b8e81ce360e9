package docker

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"renga"
	"renga/runtime/engine"
)

// Exec implements [engine.Execer].
func (e *Engine) Exec(ctx context.Context, id string, argv []string, terminal *renga.Window) (engine.Stream, error) {
	api, c, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if c == nil || !c.State.Running {
		return nil, absentNow(id)
	}
	// The daemon tells of a command that is missing only in the output.
	if path.IsAbs(argv[0]) {
		if _, err := api.ContainerStatPath(ctx, id, argv[0]); cerrdefs.IsNotFound(err) {
			return nil, renga.Errorf(renga.Invalid, "There is no %s in the image.", argv[0])
		}
	}
	options := container.ExecOptions{Cmd: argv, AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: terminal != nil}
	if terminal != nil {
		options.Env = []string{"TERM=xterm"}
	}
	made, err := api.ContainerExecCreate(ctx, id, options)
	if err != nil {
		return nil, fmt.Errorf("make a command in a dyno: %w", e.fault(err))
	}
	conn, err := api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: terminal != nil})
	if err != nil {
		return nil, fmt.Errorf("run a command in a dyno: %w", e.fault(err))
	}
	x := &execution{stream: newStream(e, made.ID, argv[0], terminal, conn)}
	if terminal != nil {
		if err := x.Resize(ctx, *terminal); err != nil {
			e.log.Debug("terminal has no size", "err", err) // it may have ended already
		}
	}
	return x, nil
}

// execution is the stream of a command beside the container's own.
type execution struct{ *stream }

// Begin does nothing: an attached command has begun.
func (x *execution) Begin(context.Context) error { return nil }

// hangUp are Ctrl-C and Ctrl-D.
const hangUp = "\x03\x04"

// Close hangs up: the command and all that belongs to it end. The daemon can end
// no command. Where its processes cannot be signalled from here, one with a
// terminal gets what somebody would type, and any other the end of its input.
func (x *execution) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*hangUpGrace)
	defer cancel()
	why := x.end(ctx)
	if why != nil && x.window != nil {
		_, _ = x.Write([]byte(hangUp)) // it has ended otherwise
	}
	if why != nil {
		x.e.log.Warn("command in a dyno may go on without its client", "err", why)
	}
	return errors.Join(x.CloseWrite(), x.stream.Close())
}

// Resize tells the command's terminal its size.
func (x *execution) Resize(ctx context.Context, w renga.Window) error {
	api, err := x.e.api(ctx)
	if err != nil {
		return err
	}
	err = api.ContainerExecResize(ctx, x.id, container.ResizeOptions{Height: uint(w.Rows), Width: uint(w.Columns)})
	if err != nil {
		return fmt.Errorf("resize terminal: %w", x.e.fault(err))
	}
	return nil
}

// execPause is between two looks at whether a command has ended. Its output has
// by then, so that it has as well, or is about to.
const execPause = 20 * time.Millisecond

// Wait waits for the command's end.
func (x *execution) Wait(ctx context.Context) (int, error) {
	api, err := x.e.api(ctx)
	if err != nil {
		return 0, err
	}
	for {
		state, err := api.ContainerExecInspect(ctx, x.id)
		if err != nil {
			return 0, fmt.Errorf("wait for a command in a dyno: %w", x.e.fault(err))
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(execPause):
		}
	}
}
