package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"renga"
	"renga/runtime/engine"
)

// Prepare implements [engine.Attacher].
func (e *Engine) Prepare(ctx context.Context, s engine.Spec) (engine.Instance, engine.Stream, error) {
	in, stream, err := e.prepare(ctx, s)
	if err != nil {
		return engine.Instance{}, nil, fmt.Errorf("prepare dyno %s of %s: %w", s.Name, s.AppName, err)
	}
	return in, stream, nil
}

func (e *Engine) prepare(ctx context.Context, s engine.Spec) (engine.Instance, engine.Stream, error) {
	p, err := e.ready(ctx, s)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	ctx = context.WithoutCancel(ctx) // as for start
	in, stream, err := e.attach(ctx, s, p)
	if err != nil {
		e.discard(ctx, s)
		return engine.Instance{}, nil, err
	}
	return in, stream, nil
}

// attach creates the container and attaches to it. That comes before its start,
// so that not a byte is missed.
func (e *Engine) attach(ctx context.Context, s engine.Spec, p plan) (engine.Instance, *stream, error) {
	api, err := e.api(ctx)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	made, err := e.create(ctx, api, s, p)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	conn, err := api.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return engine.Instance{}, nil, e.fault(err)
	}
	return instance(made), newStream(e, made.ID, s.Image.Command[0], s.Attach.Terminal, conn), nil
}

// stream is an attached container. Without a terminal its output comes in
// frames of stdout and stderr, which are put together here.
type stream struct {
	e       *Engine
	id      string
	command string
	window  *renga.Window
	conn    types.HijackedResponse
	out     io.Reader
}

func newStream(e *Engine, id, command string, terminal *renga.Window, conn types.HijackedResponse) *stream {
	st := &stream{e: e, id: id, command: command, window: terminal, conn: conn}
	if st.window != nil {
		st.out = conn.Reader
		return st
	}
	out, in := io.Pipe()
	st.out = out
	go func() { // ends with the connection
		_, err := stdcopy.StdCopy(in, in, conn.Reader)
		_ = in.CloseWithError(err) // never fails; nil is io.EOF
	}()
	return st
}

// Read gives what the container prints.
func (s *stream) Read(p []byte) (int, error) { return s.out.Read(p) }

// Write gives the container input.
func (s *stream) Write(p []byte) (int, error) { return s.conn.Conn.Write(p) }

// CloseWrite ends the container's input.
func (s *stream) CloseWrite() error { return s.conn.CloseWrite() }

// Close detaches.
func (s *stream) Close() error {
	if c, ok := s.out.(io.Closer); ok {
		_ = c.Close() // never fails
	}
	return s.conn.Conn.Close()
}

// Begin starts the container.
func (s *stream) Begin(ctx context.Context) error {
	api, err := s.e.api(ctx)
	if err != nil {
		return err
	}
	if err := api.ContainerStart(ctx, s.id, container.StartOptions{}); err != nil {
		return fmt.Errorf("start attached dyno: %w", s.e.startFault(err, s.command))
	}
	if s.window != nil {
		// Older engines take a size only now. A command that has ended already
		// needs none.
		if err := s.Resize(ctx, *s.window); err != nil {
			s.e.log.Debug("terminal has no size", "err", err)
		}
	}
	return nil
}

// Resize tells the container's terminal its size.
func (s *stream) Resize(ctx context.Context, w renga.Window) error {
	api, err := s.e.api(ctx)
	if err != nil {
		return err
	}
	err = api.ContainerResize(ctx, s.id, container.ResizeOptions{Height: uint(w.Rows), Width: uint(w.Columns)})
	if err != nil {
		return fmt.Errorf("resize terminal: %w", s.e.fault(err))
	}
	return nil
}

// Wait waits for the container's end.
func (s *stream) Wait(ctx context.Context) (int, error) {
	api, err := s.e.api(ctx)
	if err != nil {
		return 0, err
	}
	ended, failed := api.ContainerWait(ctx, s.id, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		if end.Error != nil {
			return 0, errors.New("wait for dyno: " + end.Error.Message)
		}
		return int(end.StatusCode), nil
	case err := <-failed:
		return 0, fmt.Errorf("wait for dyno: %w", s.e.fault(err))
	}
}
