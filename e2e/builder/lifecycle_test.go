package builder_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga/e2e/builder"
)

// What images are called in the build container, where the lifecycle looks nothing up, and where they lie. Each has a host
// of its own, whose folder the lifecycle makes: in a folder that is there already it might not.
const (
	runImage    = "run.local/image:1"
	newImage    = "new.local/image:1"
	oldImage    = "old.local/image:1"
	runPath     = "layout/run.local/image/1"
	newPath     = "layout/new.local/image/1"
	oldPath     = "layout/old.local/image/1"
	user        = 1000
	exitBuild   = 51 // a buildpack failed
	exitNothing = 20 // no buildpack knows what this is
)

// fixture builds one app again and again, with one cache. All that it makes has its name, and is removed at the end.
type fixture struct {
	t        *testing.T
	name     string
	app      builder.App
	previous image // of the build before
}

func newFixture(t *testing.T, app builder.App) *fixture {
	t.Helper()
	app.Make(t)
	f := &fixture{t: t, name: "renga-builder-" + strings.ToLower(rand.Text()[:10]), app: app}
	t.Cleanup(f.remove)
	return f
}

// result is how a build ended.
type result struct {
	code   int // the lifecycle's
	output string
	image  image // nil when it failed
	took   time.Duration
}

// build builds the folder, as someone who may do nothing on the engine would: the user's rights, no capability.
func (f *fixture) build(dir string) result {
	f.t.Helper()
	id := f.id("create", "--label", f.name, "--volume", f.name+":/cache", "--user", fmt.Sprintf("%d:%d", user, user),
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--env", "CNB_PLATFORM_API=0.12",
		"--env", "CNB_EXPERIMENTAL_MODE=quiet", f.app.Builder, "/cnb/lifecycle/creator", "-app=/workspace", "-layers=/layers",
		"-platform=/platform", "-cache-dir=/cache", "-no-color", "-layout", "-layout-dir=/layout", "-run-image="+runImage,
		"-previous-image="+oldImage, newImage)
	defer f.docker(nil, "rm", "--force", "--volumes", id)
	f.docker(f.input(dir), "cp", "-", id+":/")

	start := time.Now()
	out, err := exec.CommandContext(f.t.Context(), "docker", "start", "--attach", id).CombinedOutput()
	built := result{output: string(out), took: time.Since(start)}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		built.code = failed.ExitCode()
		return built
	}
	check(f.t, err)
	built.image = unpack(f.t, f.docker(nil, "cp", id+":/"+newPath, "-"))
	f.previous = built.image
	return built
}

// input is what a build container is given: the app, and the images below and before it without their layers.
func (f *fixture) input(dir string) io.Reader {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	folder := func(name string) {
		check(f.t, w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: user, Gid: user}))
	}
	file := func(name string, content []byte) {
		check(f.t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Uid: user, Gid: user}))
		_, err := w.Write(content)
		check(f.t, err)
	}

	// Folders that are not named would be root's, as a new volume is.
	folder("cache")
	folder("layout")
	check(f.t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := path.Join("workspace", strings.TrimPrefix(name, dir))
		if d.IsDir() {
			folder(inside)
			return nil
		}
		content, err := os.ReadFile(name)
		file(inside, content)
		return err
	}))
	for name, content := range f.runImage() {
		file(path.Join(runPath, name), content)
	}
	for name, content := range f.previous {
		// Of the layers the lifecycle reads only the one with the SBOMs, which it otherwise loses.
		if json.Valid(content) || name == f.previous.sbomLayer(f.t) {
			file(path.Join(oldPath, name), content)
		}
	}
	check(f.t, w.Close())
	return &out
}

// runImage describes the run image as the engine has it, whose layers are not compressed: their hashes name them.
func (f *fixture) runImage() image {
	var known []struct {
		Architecture, Os string
		Config           v1.Config
		RootFS           struct{ Layers []v1.Hash }
	}
	check(f.t, json.Unmarshal(f.docker(nil, "image", "inspect", f.app.Run), &known))
	config := v1.ConfigFile{
		Architecture: known[0].Architecture, OS: known[0].Os, Config: known[0].Config,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: known[0].RootFS.Layers},
	}
	layout := image{"oci-layout": []byte(`{"imageLayoutVersion": "1.0.0"}`)}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: layout.put(f.t, types.OCIConfigJSON, config),
	}
	for _, layer := range known[0].RootFS.Layers {
		// Any size but 0, which would have the lifecycle write an empty file in place of the layer.
		manifest.Layers = append(manifest.Layers, v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: layer, Size: 1})
	}
	index, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Manifests: []v1.Descriptor{layout.put(f.t, types.OCIManifestSchema1, manifest)},
	})
	check(f.t, err)
	layout["index.json"] = index
	return layout
}

// load has the engine know the image of a build. Layers that it has are not in it.
func (f *fixture) load(built image) string {
	f.t.Helper()
	manifest := built.manifest(f.t)
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: blob(manifest.Config.Digest), RepoTags: []string{f.name + ":latest"}}
	for _, layer := range manifest.Layers {
		entry.Layers = append(entry.Layers, blob(layer.Digest))
	}
	list, err := json.Marshal([]any{entry})
	check(f.t, err)

	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range built {
		check(f.t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		check(f.t, err)
	}
	check(f.t, w.WriteHeader(&tar.Header{Name: "manifest.json", Mode: 0o644, Size: int64(len(list))}))
	_, err = w.Write(list)
	check(f.t, err)
	check(f.t, w.Close())
	f.docker(&out, "load", "--quiet")
	return entry.RepoTags[0]
}

// id is of the container that docker makes.
func (f *fixture) id(args ...string) string {
	f.t.Helper()
	return strings.TrimSpace(string(f.docker(nil, args...)))
}

// docker runs docker; the test fails with it.
func (f *fixture) docker(stdin io.Reader, args ...string) []byte {
	f.t.Helper()
	out, err := f.try(stdin, args...)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) try(stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.Command("docker", args...)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("docker %s: %w\n%s", args[0], err, complaints.Bytes())
	}
	return out, nil
}

func (f *fixture) remove() {
	ids, err := f.try(nil, "ps", "--all", "--quiet", "--filter", "label="+f.name)
	if err == nil && len(ids) > 0 {
		_, err = f.try(nil, append([]string{"rm", "--force", "--volumes"}, strings.Fields(string(ids))...)...)
	}
	if err != nil {
		f.t.Error(err)
	}
	for _, what := range []string{"volume", "image"} {
		_, _ = f.try(nil, what, "rm", f.name) // not all tests have one
	}
}
