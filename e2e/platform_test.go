package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renga/e2e"
)

// standIn is a platform whose binary is a shell script.
func standIn(t *testing.T, script string) *e2e.Platform {
	t.Helper()
	k := *kit
	k.Renga = filepath.Join(t.TempDir(), "renga")
	if err := os.WriteFile(k.Renga, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return k.Platform(t)
}

func TestStartTellsHowTheLogEndsWhenThePlatformEnds(t *testing.T) {
	w := standIn(t, "echo the port is taken >&2; exit 1")
	err := w.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("Start: %v, want the log's last line", err)
	}
	if w.Running() {
		t.Error("the platform still counts as running")
	}
}

func TestStopReportsABadEndAndKillDoesNot(t *testing.T) {
	w := standIn(t, `trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done`)
	for _, c := range []struct {
		end  func() error
		want bool
	}{{w.Stop, true}, {w.Kill, false}} {
		launched := strings.Count(w.Log(), "ready")
		if err := w.Launch(); err != nil {
			t.Fatal(err)
		}
		err := e2e.Poll(t.Context(), func() error {
			if strings.Count(w.Log(), "ready") == launched {
				return os.ErrNotExist
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.end(); (err != nil) != c.want {
			t.Errorf("the end gave %v, want an error: %v", err, c.want)
		}
	}
}

func TestFlagsAndEnvironmentReachThePlatform(t *testing.T) {
	t.Setenv("CI", "true") // whoever runs the tests is not noticed
	w := standIn(t, `echo "args=$*" "listen=$RENGA_LISTEN" "extra=$EXTRA" "ci=$CI"; exit 1`)
	if err := w.Start(t.Context(), "--port=1", "EXTRA=yes"); err == nil {
		t.Error("Start succeeded")
	}
	want := "args=serve --port=1 listen=" + w.Addr + " extra=yes ci=\n"
	if got := w.Log(); got != want {
		t.Errorf("the platform got %q, want %q", got, want)
	}
}

func TestEveryVersionIsAnotherImage(t *testing.T) {
	w := kit.Platform(t)
	seen := map[string]bool{}
	for _, spec := range []e2e.Image{
		{Version: "v1"}, {Version: "v2"}, {Version: "v1", Command: []string{"exit", "3"}}, {Version: "v1", Bare: true},
	} {
		img, err := w.Image(spec)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if seen[digest.String()] {
			t.Errorf("%+v has the digest of another image", spec)
		}
		seen[digest.String()] = true
	}
}
