package runtime_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime"
	"renga/runtime/engine"
)

// withRelease has one release of web and worker up.
func withRelease(t *testing.T, test func(h *fixture)) {
	withFixture(t, func(h *fixture) {
		h.run()
		h.scale("web=1 worker=0:eco")
		h.deploy(2, "web=serve worker=work")
		h.did()
		test(h)
	})
}

func (h *fixture) oneOff(asked renga.OneOff) (renga.Dyno, *runtime.Session) {
	h.Helper()
	d, s, err := h.m.RunOneOff(context.Background(), app, asked)
	if err != nil {
		h.Fatalf("run %q: %v", asked.Command, err)
	}
	return d, s
}

// lastSpec is of the one-off dyno that the engine started last.
func (h *fixture) lastSpec() engine.Spec {
	h.Helper()
	for _, spec := range slices.Backward(h.Specs()) {
		if spec.Type == renga.Run {
			return spec
		}
	}
	h.Fatal("no one-off dyno was started")
	return engine.Spec{}
}

func TestADetachedOneOffRunsInTheServingRelease(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.push(3, "web=mute") // does not come up
		d, s := h.oneOff(renga.OneOff{Command: "rake db:seed", Env: renga.Vars{"GREETING": "hi"}, Lasts: time.Hour})
		if s != nil || d.State != renga.Up || d.Type != renga.Run || d.Release != 2 || d.Size != "standard-1x" {
			t.Errorf("dyno: %+v, session %v", d, s)
		}
		spec := h.lastSpec()
		if !slices.Equal(spec.Image.Command, []string{"/bin/sh", "-c", "rake db:seed"}) || spec.Attach != nil || spec.Port != 0 {
			t.Errorf("spec: %+v", spec)
		}
		for name, want := range map[string]string{"DYNO": d.Name, "DATABASE_URL": "db:5432", "GREETING": "hi", "PORT": "",
			"HEROKU_RELEASE_VERSION": "v2"} {
			if got := spec.Env[name]; got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		h.after(time.Second)
		if !slices.Contains(h.states(), d.Name+" v2 up") {
			t.Errorf("states: %q", h.states())
		}
		h.after(time.Minute)
		if slices.Contains(h.states(), d.Name+" v2 up") || !slices.Contains(h.did(), "stop "+d.Name+" v2") {
			t.Error("it is still there after its end")
		}
	})
}

func TestAOneOffTakesTheImageAndSizeOfItsType(t *testing.T) {
	withRelease(t, func(h *fixture) {
		if d, _ := h.oneOff(renga.OneOff{Command: "x", Type: "worker"}); d.Size != "eco" || h.lastSpec().Image.Digest != "sha256:work" {
			t.Errorf("of a worker: %+v", d)
		}
		if d, _ := h.oneOff(renga.OneOff{Command: "x", Type: "worker", Size: "standard-2x"}); d.Size != "standard-2x" {
			t.Errorf("with a size: %+v", d)
		}
		for what, asked := range map[string]renga.OneOff{
			"no process type": {Command: "x", Type: "clock"}, "size": {Command: "x", Size: "huge"},
		} {
			if _, _, err := h.m.RunOneOff(t.Context(), app, asked); renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), what) {
				t.Errorf("%+v: %v", asked, err)
			}
		}
	})
}

func TestAProcessTypesNameStandsForItsCommand(t *testing.T) {
	withRelease(t, func(h *fixture) {
		argv := []string{"work", "hard", "it's"}
		for line, want := range map[string][]string{
			"worker":                  argv,
			" worker\t":               argv,
			"worker --once  'a b' $X": {"/bin/sh", "-c", `work hard 'it'\''s' --once  'a b' $X`},
			"worker | tee log":        {"/bin/sh", "-c", `work hard 'it'\''s' | tee log`},
			"workers":                 {"/bin/sh", "-c", "workers"},
			"worker; true":            {"/bin/sh", "-c", "worker; true"},
			"./worker":                {"/bin/sh", "-c", "./worker"},
			"echo worker":             {"/bin/sh", "-c", "echo worker"},
		} {
			h.change(func(d *renga.Desired) {
				img := d.Live.Images["worker"]
				img.Command = argv
				d.Live.Images["worker"] = img
			})
			d, _ := h.oneOff(renga.OneOff{Command: line})
			is(t, line, h.lastSpec().Image.Command, want...)
			if ofWorker := strings.HasPrefix(strings.TrimSpace(line)+" ", "worker") && want[0] != "/bin/sh"; ofWorker &&
				(d.Size != "eco" || h.lastSpec().Image.Digest != "sha256:work") {
				t.Errorf("%s runs in %s, %s", line, h.lastSpec().Image.Digest, d.Size)
			}
		}
	})
}

func TestAnAppWithoutAReleaseRunsNothing(t *testing.T) {
	withFixture(t, func(h *fixture) {
		h.run()
		if _, _, err := h.m.RunOneOff(t.Context(), app, renga.OneOff{Command: "x"}); renga.KindOf(err) != renga.Invalid {
			t.Errorf("error: %v", err)
		}
	})
}

// shellless refuses shells, as an image from scratch does.
func shellless(s engine.Spec) error {
	if s.Image.Command[0] == "/bin/sh" {
		return renga.Errorf(renga.Invalid, "No shell.")
	}
	return nil
}

func TestAnImageWithoutAShellGetsWords(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.Refuse(shellless)
		h.oneOff(renga.OneOff{Command: "work  hard"})
		is(t, "command", h.lastSpec().Image.Command, "work", "hard")
		if _, _, err := h.m.RunOneOff(t.Context(), app, renga.OneOff{Command: "nothing here"}); renga.KindOf(err) != renga.Invalid {
			t.Errorf("error: %v", err)
		}
	})
}

func TestOneOffsAreBounded(t *testing.T) {
	withRelease(t, func(h *fixture) {
		for range 50 {
			h.oneOff(renga.OneOff{Command: "x"})
		}
		if _, _, err := h.m.RunOneOff(t.Context(), app, renga.OneOff{Command: "x"}); renga.KindOf(err) != renga.Invalid {
			t.Errorf("error: %v", err)
		}
	})
}

func TestAnAttachedOneOffEndsWithItsSession(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.Refuse(shellless)
		d, s := h.oneOff(renga.OneOff{Command: "echo", Attach: true, Terminal: &renga.Window{Columns: 80, Rows: 24}})
		if a := h.lastSpec().Attach; d.State != renga.Starting || a == nil || a.Terminal.Columns != 80 {
			t.Errorf("dyno: %+v, attach: %+v", d, a)
		}
		h.after(time.Minute) // nobody comes, and nothing takes it away
		stream, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 6)
		if _, err := io.ReadFull(stream, line); err != nil || string(line) != "ready\n" {
			t.Errorf("it says %q, %v", line, err)
		}
		h.after(time.Second)
		if !slices.Contains(h.states(), d.Name+" v2 up") {
			t.Errorf("states: %q", h.states())
		}
		for range 2 {
			if err := s.Close(t.Context(), ""); err != nil {
				t.Error(err)
			}
		}
		h.after(time.Second)
		is(t, "running", h.running(), "web.1 v2")
	})
}

func TestTheLogTellsHowAnAttachedOneOffEnded(t *testing.T) {
	withLogs(t, func(h *fixture, n *fakeLogs) {
		h.run()
		h.scale("web=1")
		h.deploy(2, "web=serve")
		h.did()
		h.Refuse(shellless)
		for _, c := range []struct {
			command string
			begun   bool
			reason  string
			says    []string
		}{
			{"echo", false, "Error R13 (Attach error)", []string{"Error R13 (Attach error)", "State changed from starting to complete"}},
			{"echo", true, "", []string{"State changed from starting to up",
				"Client connection closed. Sending SIGTERM to all processes", "State changed from up to complete"}},
			{"stubborn", true, "It was idle.", []string{"State changed from starting to up", "It was idle.",
				"Error R16 (Detached) -> An attached process is not responding to SIGTERM after its external connection was closed.",
				"State changed from up to complete"}},
		} {
			d, s := h.oneOff(renga.OneOff{Command: c.command, Attach: true})
			if c.begun {
				if _, err := s.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(t.Context(), c.reason); err != nil {
				t.Error(err)
			}
			want := []string{"heroku[" + d.Name + "]: Starting process with command `" + c.command + "`"}
			for _, line := range c.says {
				want = append(want, "heroku["+d.Name+"]: "+line)
			}
			if said := n.said(d.Name); !slices.Equal(said, want) {
				t.Errorf("%s said %q, want %q", c.command, said, want)
			}
		}
		h.after(time.Second)
		is(t, "running", h.running(), "web.1 v2")
	})
}

// TestAnAttachedOneOffOfAnotherProcessIsRemoved: its client was lost with that
// process.
func TestAnAttachedOneOffOfAnotherProcessIsRemoved(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.Refuse(shellless)
		_, begun := h.oneOff(renga.OneOff{Command: "echo", Attach: true})
		if _, err := begun.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.oneOff(renga.OneOff{Command: "echo", Attach: true})
		h.oneOff(renga.OneOff{Command: "work"})
		detached := h.lastSpec().Name
		h.run()
		h.after(10 * time.Second)
		is(t, "running", h.running(), detached+" v2", "web.1 v2")
		all, err := h.Memory.List(t.Context(), app)
		if err != nil || len(all) != 2 {
			t.Errorf("left: %+v, %v", all, err)
		}
	})
}

func TestAOneOffThatTakesTooLongIsEnded(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.Refuse(shellless)
		h.oneOff(renga.OneOff{Command: "work", Lasts: 10 * time.Minute})
		h.after(9 * time.Minute)
		if n := len(h.running()); n != 2 {
			t.Errorf("running: %q", h.running())
		}
		h.after(2 * time.Minute)
		is(t, "running", h.running(), "web.1 v2")
		h.oneOff(renga.OneOff{Command: "work"})
		h.after(23 * time.Hour)
		if n := len(h.running()); n != 2 {
			t.Errorf("running: %q", h.running())
		}
		h.after(2 * time.Hour)
		is(t, "running", h.running(), "web.1 v2")
	})
}
