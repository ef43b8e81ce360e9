package docker_test

import (
	"errors"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
	"renga/runtime/engine"
)

// TestAnImageThatCanNeverRunIsInvalidWithTheReason takes what the real daemon
// refuses at its creation, its start or its pull.
func TestAnImageThatCanNeverRunIsInvalidWithTheReason(t *testing.T) {
	w := newFixture(t)
	for name, c := range map[string]struct {
		change func(*v1.ConfigFile)
		says   string
	}{
		"a relative WORKDIR":        {func(f *v1.ConfigFile) { f.Config.WorkingDir = "rel" }, "absolute path"},
		"a nameless variable":       {func(f *v1.ConfigFile) { f.Config.Env = []string{"=x"} }, "name can't be empty"},
		"a user that is not there":  {func(f *v1.ConfigFile) { f.Config.User = "nobody7" }, "USER"},
		"a user beyond all numbers": {func(f *v1.ConfigFile) { f.Config.User = "99999999999" }, "range"},
		"a WORKDIR that is a file": {
			func(f *v1.ConfigFile) { f.Config.WorkingDir = "/bin/notes" }, "/bin/notes is not a directory",
		},
		"a volume over a file": {
			func(f *v1.ConfigFile) { f.Config.Volumes = map[string]struct{}{"/bin/notes": {}} }, "file exists /bin/notes",
		},
		"a config of another layer": {
			func(f *v1.ConfigFile) { f.RootFS.DiffIDs[0].Hex = strings.Repeat("1", 64) }, "unpack",
		},
		"a config of too few layers": {func(f *v1.ConfigFile) { f.RootFS.DiffIDs = nil }, "unpack"},
	} {
		_, err := w.engine.Start(t.Context(), pushedAs(w, func(img v1.Image) v1.Image {
			file, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			file = file.DeepCopy()
			c.change(file)
			changed, err := mutate.ConfigFile(img, file)
			if err != nil {
				t.Fatal(err)
			}
			return changed
		}))
		refused(t, name, err, c.says)
	}
	_, err := w.engine.Start(t.Context(), pushedAs(w, func(img v1.Image) v1.Image {
		faulty, err := mutate.AppendLayers(img, static.NewLayer([]byte("no archive at all"), types.DockerLayer))
		if err != nil {
			t.Fatal(err)
		}
		return faulty
	}))
	refused(t, "a faulty layer", err, "unpack")
	if left := w.containers(w.options.Platform); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
}

func refused(t *testing.T, name string, err error, says string) {
	t.Helper()
	var told *renga.Error
	if !errors.As(err, &told) || told.Kind != renga.Invalid || !strings.Contains(told.Message, says) ||
		strings.Contains(told.Message, "overlay2") {
		t.Errorf("%s: %v; want an invalid one that says %q, and no path of the host's", name, err, says)
	}
}

// pushedAs is pushed with a change to the image.
func pushedAs(w *fixture, change func(v1.Image) v1.Image) engine.Spec {
	w.Helper()
	img, err := newImage()
	if err != nil {
		w.Fatal(err)
	}
	img = change(img)
	w.registry.push(w.T, "blog/releases", img)
	described, err := describe(img)
	if err != nil {
		w.Fatal(err)
	}
	removeAtEnd(w.registry.host + "/blog/releases@" + described.Digest)
	return specOf(described, "serve")
}
