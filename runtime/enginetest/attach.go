package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"renga"
	"renga/runtime/engine"
)

// attachment is an attached instance of a [Memory]: it prints its program's
// lines, and then, if that echoes, all of its input.
type attachment struct {
	m       *Memory
	p       *process
	in, out *pipe
}

// pipe is one direction.
type pipe struct {
	*io.PipeReader
	*io.PipeWriter
}

func newPipe() *pipe {
	r, w := io.Pipe()
	return &pipe{r, w}
}

// Prepare is engine.Attacher's.
func (m *Memory) Prepare(ctx context.Context, s engine.Spec) (engine.Instance, engine.Stream, error) {
	program, err := m.check(ctx, s)
	if err != nil {
		return engine.Instance{}, nil, err
	}
	if err := sleep(ctx, program.Pull); err != nil {
		return engine.Instance{}, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.addLocked(s, program)
	p.State = engine.Created
	m.specs = append(m.specs, s)
	return p.Instance, &attachment{m: m, p: p, in: newPipe(), out: newPipe()}, nil
}

// Begin starts the instance.
func (a *attachment) Begin(ctx context.Context) error {
	a.m.mu.Lock()
	err := a.m.awayLocked(ctx)
	if _, there := a.m.instances[a.p.ID]; err == nil && !there {
		err = errors.New("the instance is gone")
	}
	if err == nil {
		a.p.State, a.p.StartedAt = engine.Running, a.m.now()
		a.m.recordLocked("start", a.p)
	}
	a.m.mu.Unlock()
	if err != nil {
		return err
	}
	a.m.tell(a.p.App)
	go a.run() // ends with the instance, or with its input
	return nil
}

func (a *attachment) run() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, line := range a.lines() {
			fmt.Fprintln(a.out.PipeWriter, line)
		}
		if a.p.program.Echo {
			_, _ = io.Copy(a.out.PipeWriter, a.in.PipeReader) // whatever ended it, it is over
			fmt.Fprintln(a.out.PipeWriter, "terminal:", a.p.spec.Attach.Terminal != nil)
			a.m.end(a.p)
		}
	}()
	_ = a.ended(context.Background()) // an engine that is away runs on
	_ = a.out.PipeWriter.Close()
	_ = a.in.PipeReader.Close()
	<-done
	a.m.tell(a.p.App)
}

// Read gives what the instance prints.
func (a *attachment) Read(p []byte) (int, error) { return a.out.PipeReader.Read(p) }

// Write gives it input.
func (a *attachment) Write(p []byte) (int, error) { return a.in.PipeWriter.Write(p) }

// CloseWrite ends its input.
func (a *attachment) CloseWrite() error { return a.in.PipeWriter.Close() }

// Close detaches.
func (a *attachment) Close() error {
	return errors.Join(a.in.PipeWriter.Close(), a.out.PipeReader.Close())
}

// Resize changes nothing that anybody could see.
func (a *attachment) Resize(context.Context, renga.Window) error { return nil }

// Wait waits for the end.
func (a *attachment) Wait(ctx context.Context) (int, error) {
	if err := a.ended(ctx); err != nil {
		return 0, err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.p.ExitCode, nil
}

func (a *attachment) lines() []string {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	var lines []string
	for _, p := range a.m.outputLocked(a.p) {
		lines = append(lines, p.Text)
	}
	return lines
}

// ended waits until the instance runs no more.
func (a *attachment) ended(ctx context.Context) error {
	for {
		a.m.mu.Lock()
		_, there := a.m.instances[a.p.ID]
		running := there && a.m.seenLocked(a.p).State == engine.Running
		err := a.m.awayLocked(ctx)
		a.m.mu.Unlock()
		if err != nil || !running {
			return err
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
