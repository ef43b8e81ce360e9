package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Program is a command with what goes in and where what comes out goes.
type Program struct {
	Argv   []string
	User   string    // name or number, with :group; empty means the container's
	Input  io.Reader // nil for none
	Output io.Writer // of its standard output; nil drops it
}

// ExitError says that a command ended with another status than 0.
type ExitError struct {
	Status int
	Said   string // the last of its standard error, or of its output if it has said nothing there
}

// Error has what the command said, which may be anything.
func (e *ExitError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("it ended with status %d", e.Status)
	}
	return fmt.Sprintf("it ended with status %d: %s", e.Status, e.Said)
}

// Run runs a command in a container that runs, to its end: nil says that it has
// read all input it wanted, and that all its output was written. It is an
// *[ExitError] when the command failed. A command whose input or output breaks off,
// or that nobody waits for any more, is ended. Input may be read once more later.
func (c *Container) Run(ctx context.Context, p Program) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	options := container.ExecOptions{
		Cmd: p.Argv, User: p.User, AttachStdin: p.Input != nil, AttachStdout: true, AttachStderr: true,
	}
	conn, id, err := c.begin(ctx, api, options)
	switch {
	case gone(err), notRunning(err):
		return notRunningError(c.ID)
	case err != nil:
		return err
	}
	x := &Execution{client: c.client, id: id}
	said, err := relay(ctx, conn, p)
	if err != nil {
		x.giveUp()
		return err
	}
	status, err := x.Wait(ctx)
	if err != nil || status == 0 {
		return err
	}
	return &ExitError{status, said}
}

// relay gives the command its input and takes its output until that ends. It
// returns the last of what the command said of itself.
func relay(ctx context.Context, conn types.HijackedResponse, p Program) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer conn.Close()
	defer cancel(nil)
	context.AfterFunc(ctx, conn.Close) // what reads and writes ends then
	if p.Input != nil {
		go func() { // ends with the connection, unless it waits for input
			if err := feed(conn, p.Input); err != nil {
				cancel(fmt.Errorf("read the command's input: %w", err))
			}
		}()
	}
	out, said := &output{to: p.Output}, &tail{}
	_, err := stdcopy.StdCopy(out, said, conn.Reader)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("pass on a command's output: %w", err)
	case len(said.last) == 0:
		return out.said.String(), nil // the daemon says there that there is no such program
	}
	return said.String(), nil
}

// feed gives a command its input. That it does not want all of it is no error.
func feed(conn types.HijackedResponse, input io.Reader) error {
	r := &source{from: input}
	_, _ = io.Copy(conn.Conn, r) // only the reader's errors count
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return r.err
	}
	_ = conn.CloseWrite() // the command has ended otherwise
	return nil
}

// source remembers how reading ended.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.err = err
	return n, err
}

// output is a command's, of which the last is kept.
type output struct {
	to   io.Writer
	said tail
}

func (o *output) Write(p []byte) (int, error) {
	_, _ = o.said.Write(p) // never fails
	if o.to == nil {
		return len(p), nil
	}
	return o.to.Write(p)
}

// maxSaid bounds what is kept of what a command says of itself.
const maxSaid = 4000

// tail keeps the last of what is written.
type tail struct{ last []byte }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p[max(0, len(p)-maxSaid):]...)
	if over := len(t.last) - maxSaid; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(t.last)), "")
}

// giveUp ends a command that nobody waits for.
func (x *Execution) giveUp() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*hangUpGrace)
	defer cancel()
	if err := x.end(ctx); err != nil {
		x.client.log.Warn("command in a container may go on though nobody waits for it", "err", err)
	}
}
