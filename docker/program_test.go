package docker_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serviceImage makes an image of the test's service.
func serviceImage(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "service")
	run(t, []string{"CGO_ENABLED=0"}, "go", "build", "-ldflags=-s -w", "-o", program, "./testdata/service")
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: "service", Mode: 0o755, Size: int64(len(binary))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	load := exec.Command("docker", "import", "--change", "LABEL renga.kind=dyno renga.platform=another", "-")
	load.Stdin = &files
	out, err := load.CombinedOutput()
	if err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	id := strings.TrimSpace(string(out))
	t.Cleanup(func() { run(t, nil, "docker", "rmi", id) })
	return id
}

func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}
