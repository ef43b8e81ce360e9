// Package dockertest makes images of tests' own programs, pulling nothing, and asks
// the real daemon by its command line, past the client under test.
package dockertest

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Docker runs docker with those arguments and gives what it printed.
func Docker(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, exec.Command("docker", args...))
}

func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// Image makes an image, until the test's end, with the program of the test's folder
// testdata/service at /service, and with those folders. Changes are docker import's.
func Image(t testing.TB, folders []string, changes ...string) (id string) {
	t.Helper()
	files, err := pack(service(t), folders)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	load := exec.Command("docker", append(args, "-")...)
	load.Stdin = files
	out, err := load.CombinedOutput()
	if err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	id = strings.TrimSpace(string(out))
	t.Cleanup(func() { Docker(t, "rmi", id) })
	return id
}

var built struct {
	sync.Once
	program []byte
}

// service builds the test's program, once for all tests.
func service(t testing.TB) []byte {
	t.Helper()
	built.Do(func() {
		program := filepath.Join(t.TempDir(), "service")
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/service")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		run(t, build)
		var err error
		if built.program, err = os.ReadFile(program); err != nil {
			t.Fatal(err)
		}
	})
	if built.program == nil {
		t.Fatal("the test's program was not built, as an earlier test says")
	}
	return built.program
}

// pack makes a tar of a program and folders.
func pack(program []byte, folders []string) (*bytes.Buffer, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, name := range folders {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "service", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	_, err := w.Write(program)
	return &files, errors.Join(err, w.Close())
}
