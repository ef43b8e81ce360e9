package docker_test

import (
	"strings"
	"testing"

	"renga"
)

func TestCommandThatCannotRunIsInvalidAndLeavesNothing(t *testing.T) {
	w := newFixture(t)
	for command, sentence := range map[string]string{
		"/bin/nope":     "not in the image",
		"nope":          "not in the image",
		"/bin/dangling": "not in the image",
		"./bin/nope":    "not in the image",
		"/bin/notes":    "permission denied",
		"notes":         "not in the image",
		"/bin":          "directory",
	} {
		s := w.spec()
		s.Image.Command = []string{command}
		_, err := w.engine.Start(t.Context(), s)
		message := renga.MessageOf(err, "")
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(message, sentence) || !strings.Contains(message, command) {
			t.Errorf("%s: error %v of kind %q; want an invalid one with %q", command, err, renga.KindOf(err), sentence)
		}
	}
	none := w.spec()
	none.Image.Command = nil
	if _, err := w.engine.Start(t.Context(), none); renga.KindOf(err) != renga.Invalid {
		t.Errorf("no command: error %v", err)
	}
	if left := w.containers(w.options.Platform); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
}

func TestCommandIsFoundAsTheShellWould(t *testing.T) {
	w := newFixture(t)
	for _, command := range []string{"dyno", "alias", "/bin/alias", "bin/dyno", "./bin/../bin/dyno"} {
		s := w.spec()
		s.Image.Command = []string{command, "exit"}
		if in := w.exited(s.App, w.start(s).ID); in.ExitCode != 3 {
			t.Errorf("%s: exit code %d; want the program's 3", command, in.ExitCode)
		}
	}
	s := w.spec()
	s.Image.Command = []string{"dyno", "exit"}
	s.Env["PATH"] = "/nowhere"
	if _, err := w.engine.Start(t.Context(), s); renga.KindOf(err) != renga.Invalid {
		t.Errorf("error %v; the dyno's own PATH counts", err)
	}
}
