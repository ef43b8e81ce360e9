package docker_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"renga"
)

func TestACommandRunsBesideTheDynosOwn(t *testing.T) {
	w := newFixture(t)
	in := w.start(w.spec("serve"))
	for _, c := range []struct {
		name     string
		terminal *renga.Window
		typed    string
		has      string
	}{
		{"without a terminal", nil, "hello\n", "ready\nhello\nterminal: false\n"},
		{"with a terminal", &renga.Window{Columns: 80, Rows: 24}, "hello\n\x04", "terminal: true"},
	} {
		stream, err := w.engine.Exec(t.Context(), in.ID, []string{"/bin/dyno", "echo"}, c.terminal)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := io.WriteString(stream, c.typed); err != nil {
			t.Fatal(err)
		}
		if c.terminal == nil {
			if err := stream.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		out, err := io.ReadAll(stream)
		if err != nil || !strings.Contains(string(out), c.has) {
			t.Errorf("%s: it printed %q, %v", c.name, out, err)
		}
		if code, err := stream.Wait(t.Context()); err != nil || code != 5 {
			t.Errorf("%s: it ended with %d, %v", c.name, code, err)
		}
		_ = stream.Close() // it has ended
	}
	if _, err := w.engine.Exec(t.Context(), in.ID, []string{"/bin/absent"}, nil); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a command that is not there: %v", err)
	}
	if err := w.engine.Kill(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	w.exited(in.App, in.ID)
	_, err := w.engine.Exec(t.Context(), in.ID, []string{"/bin/dyno", "echo"}, nil)
	if renga.KindOf(err) != renga.NotFound {
		t.Errorf("in a dyno that has ended: %v", err)
	}
}

// TestACommandWhoseClientGoesIsGoneWithAllThatItStarted: in the dyno only its own
// process is left.
func TestACommandWhoseClientGoesIsGoneWithAllThatItStarted(t *testing.T) {
	w := newFixture(t)
	in := w.start(w.spec("serve"))
	until(t, "the init has started the dyno's own process", func() bool {
		return slices.Contains(w.processes(in.ID), "/bin/dyno serve")
	})
	alone := len(w.processes(in.ID))
	for _, c := range []struct {
		verb     string
		terminal *renga.Window
		says     string
		are      int
	}{
		{"child", nil, "child ready", 1},
		{"child", &renga.Window{Columns: 80, Rows: 24}, "child ready", 1},
		{"clinging", nil, "deaf", 2},
	} {
		stream, err := w.engine.Exec(t.Context(), in.ID, []string{"/bin/dyno", c.verb}, c.terminal)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(stream, make([]byte, len(c.says))); err != nil {
			t.Fatal(err)
		}
		if now := w.processes(in.ID); len(now) != alone+c.are {
			t.Errorf("%s: in the dyno are %q", c.verb, now)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		if left := w.processes(in.ID); len(left) != alone {
			t.Errorf("%s: in the dyno are left %q", c.verb, left)
		}
	}
	if now := w.inspect(in.ID); !now.State.Running {
		t.Error("the dyno ended too")
	}
}

// processes are the commands of those that run in a container.
func (w *fixture) processes(id string) []string {
	w.Helper()
	top, err := w.raw.ContainerTop(w.Context(), id, []string{"-eo", "pid,stat,args"})
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, p := range top.Processes {
		if !strings.HasPrefix(p[1], "Z") { // it has ended
			all = append(all, p[2])
		}
	}
	return all
}
