package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/uuid"

	"renga"
)

// The test program, built once, and its image, loaded once. TestMain removes
// both.
var (
	scratch     string // a folder of the whole run's
	loaded      []string
	loadedMu    sync.Mutex
	programOnce = sync.OnceValues(buildProgram)
	imageOnce   = sync.OnceValues(loadTestImage)
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "renga-docker-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	scratch = dir
	code := m.Run()
	if err := removeImages(); err != nil {
		fmt.Fprintln(os.Stderr, "remove test images:", err)
		code = max(code, 1)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// removeAtEnd has an image removed after the last test.
func removeAtEnd(id string) {
	loadedMu.Lock()
	defer loadedMu.Unlock()
	loaded = append(loaded, id)
}

func removeImages() error {
	if len(loaded) == 0 {
		return nil
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	for _, id := range loaded {
		_, err := c.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true, PruneChildren: true})
		if err != nil && !cerrdefs.IsNotFound(err) {
			return err
		}
	}
	return c.Close()
}

func buildProgram() (string, error) {
	program := filepath.Join(scratch, "dyno")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/dyno")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the test program: %w\n%s", err, out)
	}
	return program, nil
}

// newImage makes an image of the test program that no other run has. Its config
// asks for all that the engine is to ignore.
func newImage() (v1.Image, error) {
	program, err := programOnce()
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return rootfs(binary) })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", goruntime.GOARCH
	file.Config = v1.Config{
		Entrypoint: []string{"/bin/dyno"}, Cmd: []string{"exit"}, Env: []string{"PATH=/usr/bin:/bin"},
		Labels: forged(), Volumes: map[string]struct{}{"/data": {}},
		ExposedPorts: map[string]struct{}{"9999/tcp": {}}, StopSignal: "SIGKILL",
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/bin/dyno", "exit"}, Interval: time.Second},
	}
	return mutate.ConfigFile(img, file)
}

// forged are labels of an image that would be the engine's own, and one that
// sets this run's image apart.
func forged() map[string]string {
	return map[string]string{
		"run": uuid.NewString(), "renga.platform": "another", "renga.kind": "another",
		"renga.app": "another", "renga.app-name": "another", "renga.dyno": "web.9", "renga.dyno-id": "another",
		"renga.type": "web", "renga.release": "99", "renga.size": "another", "renga.crashes": "99",
		"renga.port": "1", "renga.command": `["another"]`, "renga.until": "2001-01-01T00:00:00Z",
		"renga.attached": "true", "renga.disk": "1", "renga.alone": "another",
	}
}

// rootfs is the program, a link to it, a file that cannot be run, and a folder.
func rootfs(binary []byte) (io.ReadCloser, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "data/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "bin/dyno", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
		{Name: "bin/alias", Typeflag: tar.TypeSymlink, Linkname: "dyno"},
		{Name: "bin/dangling", Typeflag: tar.TypeSymlink, Linkname: "/no/such"},
		{Name: "bin/notes", Typeflag: tar.TypeReg, Mode: 0o644, Size: 2},
	} {
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		content := map[string][]byte{"bin/dyno": binary, "bin/notes": []byte("hi")}[h.Name]
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&b), w.Close()
}

// testImage is on the daemon, and in no registry.
func testImage(t *testing.T) renga.Image {
	t.Helper()
	img, err := imageOnce()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func loadTestImage() (renga.Image, error) {
	img, err := newImage()
	if err != nil {
		return renga.Image{}, err
	}
	described, err := describe(img)
	if err != nil {
		return renga.Image{}, err
	}
	tag, err := name.NewTag("renga-docker-test:" + strings.TrimPrefix(described.Config, "sha256:")[:12])
	if err != nil {
		return renga.Image{}, err
	}
	file := filepath.Join(scratch, "image.tar")
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		return renga.Image{}, err
	}
	out, err := exec.Command("docker", "load", "--quiet", "--input", file).CombinedOutput()
	if err != nil {
		return renga.Image{}, fmt.Errorf("docker load: %w\n%s", err, out)
	}
	removeAtEnd(tag.Name())
	return described, nil
}

func describe(img v1.Image) (renga.Image, error) {
	digest, err := img.Digest()
	if err != nil {
		return renga.Image{}, err
	}
	config, err := img.ConfigName()
	return renga.Image{
		Repository: "blog/web", Digest: digest.String(), Pushed: digest.String(), Config: config.String(),
	}, err
}
