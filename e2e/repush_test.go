package e2e_test

import (
	"testing"

	"renga/e2e"
)

// TestWhatWasRolledBackIsReleasedWhenPushedAgain, also by clients that first ask
// what the tag names and send no manifest that is there.
func TestWhatWasRolledBackIsReleasedWhenPushedAgain(t *testing.T) {
	t.Parallel()
	w := kit.Platform(t)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	deploy(t, w, "again", "first")
	second, err := w.Image(e2e.Image{Version: "second"})
	if err != nil {
		t.Fatal(err)
	}
	push := func(client string) {
		t.Helper()
		var err error
		out := ""
		switch client {
		case "crane":
			out, err = w.CranePush(t.Context(), "again/web", second)
		case "docker":
			out, err = w.DockerPush(t.Context(), "again/web", second)
		default:
			err = w.PushImage(t.Context(), "again", second)
		}
		if err != nil {
			t.Fatalf("push with %s: %v\n%s", client, err, out)
		}
		waitFor(t, w, "again", "second")
	}
	push("go-containerregistry")
	for _, client := range []string{"go-containerregistry", "crane", "docker"} {
		rollback(t, w, "again", 2, "first")
		push(client)
	}
}
