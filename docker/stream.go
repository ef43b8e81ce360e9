package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"renga"
)

// pipe is the input and output of something in a container. Without a terminal
// its output comes in frames of stdout and stderr, which are put together here.
type pipe struct {
	conn types.HijackedResponse
	out  io.Reader
}

// openPipe reads the connection from now on, and puts its frames together.
func openPipe(conn types.HijackedResponse, terminal bool) pipe {
	if terminal {
		return pipe{conn, conn.Reader}
	}
	out, in := io.Pipe()
	go func() { // ends with the connection
		_, err := stdcopy.StdCopy(in, in, conn.Reader)
		_ = in.CloseWithError(err) // never fails; nil is io.EOF
	}()
	return pipe{conn, out}
}

// Read gives what is printed.
func (p pipe) Read(b []byte) (int, error) { return p.out.Read(b) }

// Write gives input.
func (p pipe) Write(b []byte) (int, error) { return p.conn.Conn.Write(b) }

// CloseWrite ends the input.
func (p pipe) CloseWrite() error { return p.conn.CloseWrite() }

// Close detaches.
func (p pipe) Close() error {
	if c, ok := p.out.(io.Closer); ok {
		_ = c.Close() // never fails
	}
	return p.conn.Conn.Close()
}

// Attachment is the input and output of a container. Reading gives stdout and
// stderr in the order they come, and io.EOF once the container has ended.
type Attachment struct {
	pipe
	container *Container
	command   string
	terminal  *renga.Window
}

// Attach attaches to a container that was made for it and is not started yet, so
// that not a byte is missed. Terminal is its Spec's; command is as for Start.
func (c *Container) Attach(ctx context.Context, command string, terminal *renga.Window) (*Attachment, error) {
	api, err := c.client.api(ctx)
	if err != nil {
		return nil, err
	}
	options := container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true}
	conn, err := api.ContainerAttach(ctx, c.ID, options)
	if err != nil {
		return nil, c.client.fault(err)
	}
	return &Attachment{openPipe(conn, terminal != nil), c, command, terminal}, nil
}

// Begin starts the container.
func (a *Attachment) Begin(ctx context.Context) error {
	if err := a.container.Start(ctx, a.command); err != nil {
		return fmt.Errorf("start attached container: %w", err)
	}
	if a.terminal != nil {
		// Older engines take a size only now. A command that has ended already
		// needs none.
		if err := a.Resize(ctx, *a.terminal); err != nil {
			a.container.client.log.Debug("terminal has no size", "err", err)
		}
	}
	return nil
}

// Resize tells the container's terminal its size.
func (a *Attachment) Resize(ctx context.Context, w renga.Window) error {
	client := a.container.client
	api, err := client.api(ctx)
	if err != nil {
		return err
	}
	err = api.ContainerResize(ctx, a.container.ID, resizing(w))
	if err != nil {
		return fmt.Errorf("resize terminal: %w", client.fault(err))
	}
	return nil
}

// Wait waits for the container's end.
func (a *Attachment) Wait(ctx context.Context) (int, error) { return a.container.Wait(ctx) }

func resizing(w renga.Window) container.ResizeOptions {
	return container.ResizeOptions{Height: uint(w.Rows), Width: uint(w.Columns)}
}
