package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga/children"
)

// testLabel is on every image that a platform makes, and so on the containers of
// it. Its value is the platform's id.
const testLabel = "renga.e2e"

// Label is the line of a Dockerfile that marks an image as this platform's, so that
// it is removed with it.
func (w *Platform) Label() string { return testLabel + "=" + w.id }

// Image says what an image of the test app is like.
type Image struct {
	// Version makes the image different from all others; GET / tells it.
	Version string
	// Command is what the app does, see testdata/app; serve by default.
	Command []string
	Env     []string // NAME=value
	Labels  map[string]string
	// Platform is os/architecture; linux/amd64 by default, whatever the program
	// inside is for.
	Platform string
	// Files are further executable files, by their path without a leading slash.
	Files map[string][]byte
	// HealthCheck is what the app does as the image's HEALTHCHECK; none by default.
	HealthCheck []string
	// Bare leaves out entrypoint and command.
	Bare bool
	// Zstd packs a layer with zstd instead of gzip.
	Zstd bool
}

// Image makes an image without an engine or a registry.
func (w *Platform) Image(spec Image) (v1.Image, error) {
	var packing []tarball.LayerOption
	base := empty.Image
	if spec.Zstd {
		packing = []tarball.LayerOption{tarball.WithCompression(compression.ZStd), tarball.WithMediaType(types.OCILayerZStd)}
		base = mutate.ConfigMediaType(mutate.MediaType(base, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	mark, err := layer("version", []byte(spec.Version), packing...)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(base, w.kit.app, mark)
	if err != nil {
		return nil, err
	}
	for name, content := range spec.Files {
		more, err := layer(name, content)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, more); err != nil {
			return nil, err
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	if err := w.describe(file, spec); err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, file)
}

// describe fills in an image's config.
func (w *Platform) describe(file *v1.ConfigFile, spec Image) error {
	file.OS, file.Architecture = "linux", "amd64"
	if spec.Platform != "" {
		p, err := v1.ParsePlatform(spec.Platform)
		if err != nil {
			return err
		}
		file.OS, file.Architecture, file.Variant = p.OS, p.Architecture, p.Variant
	}
	file.Config.Env = append([]string{"PATH=/", "APP_VERSION=" + spec.Version}, spec.Env...)
	file.Config.Labels = map[string]string{testLabel: w.id}
	maps.Copy(file.Config.Labels, spec.Labels)
	if len(spec.HealthCheck) > 0 {
		file.Config.Healthcheck = &v1.HealthConfig{
			Test: append([]string{"CMD", "/app"}, spec.HealthCheck...), Interval: 500 * time.Millisecond, Retries: 2,
		}
	}
	if spec.Bare {
		return nil
	}
	file.Config.Entrypoint = []string{"/app"}
	file.Config.Cmd = []string{"serve"}
	if len(spec.Command) > 0 {
		file.Config.Cmd = spec.Command
	}
	return nil
}

// PushImage pushes from this process, as crane does, to a repository of the
// platform such as "hello" or "hello/worker:canary".
func (w *Platform) PushImage(ctx context.Context, repository string, img v1.Image, options ...remote.Option) error {
	ref, err := name.ParseReference(w.Addr + "/" + repository)
	if err != nil {
		return err
	}
	token, err := w.Token(ctx)
	if err != nil {
		return err
	}
	auth := remote.WithAuth(&authn.Basic{Username: "renga", Password: token})
	return remote.Write(ref, img, append([]remote.Option{remote.WithContext(ctx), auth}, options...)...)
}

// DockerPush loads the image into the engine and pushes it with the docker
// command, logged in as the operator. It returns what docker printed.
func (w *Platform) DockerPush(ctx context.Context, repository string, img v1.Image) (string, error) {
	ref := w.Registry() + "/" + repository
	if err := w.DockerLoad(ctx, ref, img); err != nil {
		return "", err
	}
	if err := w.login(ctx); err != nil {
		return "", err
	}
	return w.Docker(ctx, "push", ref)
}

// CranePush pushes with the crane command, logged in as the operator, over
// plain HTTP.
func (w *Platform) CranePush(ctx context.Context, repository string, img v1.Image) (string, error) {
	registry := "localhost:" + w.port()
	if err := w.loginTo(ctx, registry); err != nil { // crane reads docker's settings
		return "", err
	}
	f, err := os.CreateTemp(w.home, "image-*.tar")
	if err != nil {
		return "", err
	}
	err = writeTar(f, registry+"/"+repository, img)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	return w.command(ctx, nil, w.kit.Crane, "push", f.Name(), registry+"/"+repository)
}

// login makes the docker command of this platform know the operator's token.
func (w *Platform) login(ctx context.Context) error { return w.loginTo(ctx, w.Registry()) }

func (w *Platform) loginTo(ctx context.Context, registry string) error {
	token, err := w.Token(ctx)
	if err != nil {
		return err
	}
	_, err = w.command(ctx, strings.NewReader(token), "docker", "login", "--username", "renga", "--password-stdin", registry)
	return err
}

// DockerLoad has the engine know an image under that name.
func (w *Platform) DockerLoad(ctx context.Context, ref string, img v1.Image) error {
	r, pipe := io.Pipe()
	go func() { pipe.CloseWithError(writeTar(pipe, ref, img)) }() // ends with the reader below
	_, err := w.command(ctx, r, "docker", "load")
	_ = r.Close() // never fails
	return err
}

// writeTar writes the image as docker saves them, under that name.
func writeTar(out io.Writer, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return tarball.Write(tag, img, out)
}

// Docker runs the docker command with settings of this platform's own, and returns
// what it printed.
func (w *Platform) Docker(ctx context.Context, args ...string) (string, error) {
	return w.command(ctx, nil, "docker", args...)
}

// command runs a client in this platform's environment; the error holds what it
// printed.
func (w *Platform) command(ctx context.Context, stdin io.Reader, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = w.Env()
	cmd.Stdin = stdin
	out, err := children.CombinedOutput(cmd, syscall.SIGKILL)
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", program, args[0], err, out)
	}
	return string(out), nil
}
