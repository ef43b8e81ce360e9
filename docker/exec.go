package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"renga"
)

// Execution is a command beside the container's own, and its input and output.
type Execution struct {
	pipe
	client   *Client
	id       string // the daemon's, of the command
	terminal bool
}

// Exec runs a command in a container that runs. It has begun when this returns.
func (c *Container) Exec(ctx context.Context, argv []string, terminal *renga.Window) (*Execution, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return nil, err
	}
	options := container.ExecOptions{
		Cmd: argv, AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: terminal != nil,
	}
	if terminal != nil {
		options.Env = []string{"TERM=xterm"}
	}
	conn, id, err := c.begin(ctx, api, options)
	if err != nil {
		return nil, err
	}
	x := &Execution{openPipe(conn, terminal != nil), c.client, id, terminal != nil}
	if terminal != nil {
		if err := x.Resize(ctx, *terminal); err != nil {
			c.client.log.Debug("terminal has no size", "err", err) // it may have ended already
		}
	}
	return x, nil
}

// begin makes a command and runs it. The daemon's id of it comes with its
// connection.
func (c *Container) begin(
	ctx context.Context, api *session, options container.ExecOptions,
) (types.HijackedResponse, string, error) {
	made, err := api.ContainerExecCreate(ctx, c.ID, options)
	if err != nil {
		return types.HijackedResponse{}, "", fmt.Errorf("make a command in a container: %w", c.client.fault(err))
	}
	conn, err := api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: options.Tty})
	if err != nil {
		return types.HijackedResponse{}, "", fmt.Errorf("run a command in a container: %w", c.client.fault(err))
	}
	return conn, made.ID, nil
}

// hangUp are Ctrl-C and Ctrl-D.
const hangUp = "\x03\x04"

// Close hangs up: the command and all that belongs to it end. The daemon can end
// no command. Where its processes cannot be signalled from here, one with a
// terminal gets what somebody would type, and any other the end of its input.
func (x *Execution) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*hangUpGrace)
	defer cancel()
	why := x.end(ctx)
	if why != nil && x.terminal {
		_, _ = x.Write([]byte(hangUp)) // it has ended otherwise
	}
	if why != nil {
		x.client.log.Warn("command in a container may go on without its client", "err", why)
	}
	return errors.Join(x.CloseWrite(), x.pipe.Close())
}

// Resize tells the command's terminal its size.
func (x *Execution) Resize(ctx context.Context, w renga.Window) error {
	api, err := x.client.api(ctx)
	if err != nil {
		return err
	}
	if err := api.ContainerExecResize(ctx, x.id, resizing(w)); err != nil {
		return fmt.Errorf("resize terminal: %w", x.client.fault(err))
	}
	return nil
}

// execPause is between two looks at whether a command has ended. Its output has
// by then, so that it has as well, or is about to.
const execPause = 20 * time.Millisecond

// Wait waits for the command's end, and gives its exit code.
func (x *Execution) Wait(ctx context.Context) (int, error) {
	api, err := x.client.api(ctx)
	if err != nil {
		return 0, err
	}
	for {
		state, err := api.ContainerExecInspect(ctx, x.id)
		if err != nil {
			return 0, fmt.Errorf("wait for a command in a container: %w", x.client.fault(err))
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
