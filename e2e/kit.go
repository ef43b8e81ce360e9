package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Kit is what all platforms of a test run share: programs built once.
type Kit struct {
	Renga string // the platform's binary, with the race detector
	Crane string // the registry client
	App   string // the test app, static

	app     v1.Layer // the test app at /app
	journal *journal // of a run of tests; nil without
}

// Build builds a kit into dir. When RENGA_BINARY is set, that binary is the
// platform's instead of one built now.
func Build(ctx context.Context, dir string) (*Kit, error) {
	k := &Kit{
		Renga: os.Getenv("RENGA_BINARY"),
		Crane: filepath.Join(dir, "crane"),
		App:   filepath.Join(dir, "app"),
	}
	if k.Renga == "" {
		k.Renga = filepath.Join(dir, "renga")
		if err := build(ctx, k.Renga, "CGO_ENABLED=1", "-race", "renga/cmd/renga"); err != nil {
			return nil, err
		}
	}
	if err := build(ctx, k.Crane, "CGO_ENABLED=0", "github.com/google/go-containerregistry/cmd/crane"); err != nil {
		return nil, err
	}
	if err := build(ctx, k.App, "CGO_ENABLED=0", "-trimpath", "-ldflags=-s -w", "renga/e2e/testdata/app"); err != nil {
		return nil, err
	}
	var err error
	k.app, err = programLayer(k.App)
	return k, err
}

// Main is the TestMain of a package that needs a kit: it builds one, removes
// what killed test runs left, hands the kit to use, runs the tests and returns the
// exit code.
func Main(m *testing.M, use func(*Kit)) (code int) {
	tell := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			code = max(code, 1)
		}
	}
	dir, err := os.MkdirTemp("", "renga-e2e-")
	if err != nil {
		tell(err)
		return code
	}
	j, err := openJournal(dir)
	if err != nil {
		tell(errors.Join(err, os.RemoveAll(dir)))
		return code
	}
	defer func() { tell(j.end()) }()
	kit, err := prepare(context.Background(), dir, j)
	if err != nil {
		tell(err)
		return code
	}
	use(kit)
	return m.Run()
}

// prepare builds a kit into a directory in which all lies that the tests write, so
// that a later run can remove it if this one is killed.
func prepare(ctx context.Context, dir string, j *journal) (*Kit, error) {
	kit, err := Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	kit.journal = j
	return kit, errors.Join(kit.removeLeftovers(ctx), os.Setenv("TMPDIR", dir))
}

func build(ctx context.Context, out, cgo string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false", "-o", out}, args...)...)
	cmd.Env = append(os.Environ(), cgo)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", args[len(args)-1], err, text)
	}
	return nil
}

// programLayer is an image layer with that program at /app. It is compressed
// once for all images.
func programLayer(program string) (v1.Layer, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	return layer("app", content)
}

// layer is an image layer with one executable file.
func layer(name string, content []byte, options ...tarball.LayerOption) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, append(options, tarball.WithCompressedCaching)...)
}
