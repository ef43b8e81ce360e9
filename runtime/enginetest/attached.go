package enginetest

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"time"

	"renga"
	"renga/runtime/engine"
)

// prepare readies an attached Echo; nil when the engine knows no such thing.
func (b *bench) prepare(window *renga.Window) (engine.Instance, engine.Stream) {
	b.Helper()
	attacher, ok := b.Engine.(engine.Attacher)
	if !ok {
		b.SkipNow()
	}
	s := b.spec(b.Echo, renga.Run, 1234)
	s.Until = time.Now().Add(time.Hour).Round(0)
	s.Attach = &engine.Attach{Terminal: window}
	i, stream, err := attacher.Prepare(b.Context(), s)
	if err != nil {
		b.Fatalf("prepare: %v", err)
	}
	b.Cleanup(func() { _ = stream.Close() }) // closed before, mostly
	listed, ok := b.find(i.ID)
	if !ok || listed.State != engine.Created || !listed.Attached || !listed.Until.Equal(s.Until) {
		b.Errorf("a prepared one is listed as %+v, %v", listed, ok)
	}
	b.same(listed, s)
	return i, stream
}

func (b *bench) begin(s engine.Stream) {
	b.Helper()
	if err := s.Begin(b.Context()); err != nil {
		b.Fatalf("begin: %v", err)
	}
}

// typed sends input while the output is read.
func (b *bench) typed(s engine.Stream, text string) {
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(s, text)
		if _, memory := b.Engine.(*Memory); memory && strings.HasSuffix(text, "\x04") {
			err = s.CloseWrite() // it knows no \x04
		}
		sent <- err
	}()
	b.Cleanup(func() {
		if err := <-sent; err != nil {
			b.Errorf("send input: %v", err)
		}
	})
}

func testAttach(b *bench) {
	i, stream := b.prepare(nil)
	b.begin(stream)
	b.typed(stream, "hello\n")
	out := bufio.NewScanner(stream)
	for _, want := range []string{"ready", "hello"} {
		if !out.Scan() || out.Text() != want {
			b.Fatalf("it printed %q, want %q: %v", out.Text(), want, out.Err())
		}
	}
	if err := stream.CloseWrite(); err != nil {
		b.Fatal(err)
	}
	if out.Scan(); out.Text() != "terminal: false" || out.Scan() || out.Err() != nil {
		b.Errorf("at the end it printed %q, %v", out.Text(), out.Err())
	}
	if code, err := stream.Wait(b.Context()); code != 5 || err != nil {
		b.Errorf("it ended with %d, %v", code, err)
	}
	if dead := b.exited(i.ID); dead.ExitCode != 5 {
		b.Errorf("it is listed with exit code %d", dead.ExitCode)
	}
}

func testTerminal(b *bench) {
	i, stream := b.prepare(&renga.Window{Columns: 100, Rows: 30})
	b.begin(stream)
	if err := stream.Resize(b.Context(), renga.Window{Columns: 80, Rows: 24}); err != nil {
		b.Error(err)
	}
	// A terminal gives back what is typed, and \x04 at a line's beginning ends
	// the input.
	b.typed(stream, "hello\n\x04")
	out, err := io.ReadAll(stream)
	if err != nil || strings.Count(string(out), "hello") < 1 || !strings.Contains(string(out), "terminal: true") {
		b.Errorf("it printed %q, %v", out, err)
	}
	if dead := b.exited(i.ID); dead.ExitCode != 5 {
		b.Errorf("it ended with %d", dead.ExitCode)
	}
}

func testNeverBegun(b *bench) {
	i, stream := b.prepare(nil)
	if err := stream.Close(); err != nil {
		b.Error(err)
	}
	if err := b.Engine.Stop(b.Context(), i.ID, time.Second); err != nil {
		b.Fatal(err)
	}
	if _, ok := b.find(i.ID); ok {
		b.Error("it is still listed")
	}
}

func testAttachMuch(b *bench) {
	_, stream := b.prepare(nil)
	b.begin(stream)
	much := bytes.Repeat([]byte("sixteen bytes..\n"), 256<<10)
	go func() {
		_, _ = stream.Write(much) // what is missing is missed below
		_ = stream.CloseWrite()
	}()
	out, err := io.ReadAll(stream)
	if err != nil {
		b.Fatal(err)
	}
	if !bytes.Contains(out, much) {
		b.Errorf("of %d bytes it printed %d", len(much), len(out))
	}
}
