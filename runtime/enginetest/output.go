package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
)

// output reads an instance's output on the side.
type output struct {
	mu    sync.Mutex
	lines []engine.Printed
	ended chan error
}

// read begins to read; it reports false when the engine cannot.
func (b *bench) read(ctx context.Context, id string, since time.Time) (*output, bool) {
	reader, ok := b.Engine.(engine.OutputReader)
	o := &output{ended: make(chan error, 1)}
	if !ok {
		return o, false
	}
	go func() {
		o.ended <- reader.ReadOutput(ctx, id, since, func(p engine.Printed) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.lines = append(o.lines, p)
		})
	}()
	return o, true
}

func (o *output) all() []engine.Printed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

// chatted waits until what Chatty prints at the start has been read.
func (b *bench) chatted(o *output) []engine.Printed {
	b.Helper()
	b.until("101 lines were read", func() bool { return len(o.all()) >= 101 })
	return o.all()
}

func testOutput(b *bench) {
	i := b.start(b.spec(b.Chatty, "worker", 1))
	o, ok := b.read(b.Context(), i.ID, time.Time{})
	if !ok {
		return
	}
	lines := b.chatted(o)
	for n, line := range lines[:100] {
		if line.Text != fmt.Sprintf("line %d", n+1) || line.More || line.Stderr || line.Time.Before(i.CreatedAt) {
			b.Fatalf("line %d is %+v", n+1, line)
		}
	}
	if err := b.Engine.Kill(b.Context(), i.ID); err != nil {
		b.Fatal(err)
	}
	if err := <-o.ended; err != nil {
		b.Errorf("reading to the end: %v", err)
	}
	since := lines[50].Time
	again, _ := b.read(b.Context(), i.ID, since)
	if err := <-again.ended; err != nil {
		b.Errorf("reading again: %v", err)
	}
	rest := slices.DeleteFunc(o.all(), func(p engine.Printed) bool { return p.Time.Before(since) })
	if !slices.Equal(again.all(), rest) {
		b.Errorf("since %v: %d lines, want the last %d", since, len(again.all()), len(rest))
	}
	if gone, _ := b.read(b.Context(), strings.Repeat("0", 64), time.Time{}); len(gone.all()) != 0 {
		b.Errorf("lines of nobody: %v", gone.all())
	}
}

func testOutputEnds(b *bench) {
	i := b.start(b.spec(b.Chatty, "worker", 1))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	o, ok := b.read(ctx, i.ID, time.Time{})
	if !ok {
		return
	}
	b.chatted(o)
	cancel()
	select {
	case err := <-o.ended:
		if err == nil {
			b.Error("it ends as if it had read all")
		}
	case <-time.After(10 * time.Second):
		b.Error("it goes on after its context ended")
	}
}

func testTerminate(b *bench) {
	ender, ok := b.Engine.(engine.Ender)
	if !ok {
		return
	}
	i := b.start(b.spec(b.Chatty, "worker", 1))
	o, reads := b.read(b.Context(), i.ID, time.Time{})
	if reads {
		b.chatted(o)
	}
	for range 2 {
		if killed, err := ender.Terminate(b.Context(), i.ID, 20*time.Second); err != nil || killed {
			b.Fatalf("end: killed %v, %v", killed, err)
		}
		b.exited(i.ID)
	}
	if !reads {
		return
	}
	if err := <-o.ended; err != nil {
		b.Errorf("reading to the end: %v", err)
	}
	if all := o.all(); len(all) != 102 || all[101].Text != "bye" {
		b.Errorf("%d lines, the last %+v; want bye as line 102", len(all), all[len(all)-1])
	}
}

func testTerminateStubborn(b *bench) {
	ender, ok := b.Engine.(engine.Ender)
	if !ok {
		return
	}
	i := b.start(b.spec(b.Stubborn, renga.Web, 1))
	b.until("it listens, so that it ignores SIGTERM", func() bool { return b.Probe(b.Context(), i.Addr) == nil })
	killed, err := ender.Terminate(b.Context(), i.ID, time.Second)
	if err != nil || !killed {
		b.Errorf("end: killed %v, %v", killed, err)
	}
	if dead := b.exited(i.ID); dead.ExitCode != 137 {
		b.Errorf("exit code %d; want 137", dead.ExitCode)
	}
	if killed, err := ender.Terminate(b.Context(), strings.Repeat("0", 64), 0); err != nil || killed {
		b.Errorf("end nobody: killed %v, %v", killed, err)
	}
}
