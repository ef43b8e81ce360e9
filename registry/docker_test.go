package registry_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"renga"
	"renga/registry"
)

// docker runs the docker client with a configuration of its own.
type docker struct{ home string }

func (d docker) run(t testing.TB, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+d.home)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d docker) must(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := d.run(t, stdin, args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// load gives the engine an image under a reference, until the test ends.
func (d docker) load(t testing.TB, w *fixture, ref string, img v1.Image) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := tarball.WriteToFile(file, w.ref(t, ref), img); err != nil {
		t.Fatal(err)
	}
	d.must(t, "", "load", "-i", file)
	full := w.host + "/" + ref
	t.Cleanup(func() {
		cmd := exec.Command("docker", "rmi", "-f", full)
		if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "No such image") {
			t.Errorf("remove image: %v\n%s", err, out)
		}
	})
	return full
}

func TestDockerPushAndPull(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	ref := d.load(t, w, "hello:latest", image(t))

	if out, err := d.run(t, "wrong", "login", "-u", "_", "--password-stdin", w.host); err == nil {
		t.Fatalf("logged in with a wrong token: %s", out)
	}
	if out, err := d.run(t, "", "push", ref); err == nil {
		t.Fatalf("pushed without a login: %s", out)
	}
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	d.must(t, "", "push", ref)

	released := w.released()[0].Images[renga.Web]
	if released.Repository != "hello/web" || released.Digest != w.tagOf(t, "hello/web:latest") ||
		released.Command[0] != "/app" {
		t.Errorf("released %+v", released)
	}
	if id := strings.TrimSpace(d.must(t, "", "image", "inspect", "--format", "{{.Id}}", ref)); id != released.Config {
		t.Errorf("image id %s, released config %s", id, released.Config)
	}
	d.must(t, "", "rmi", ref)
	byDigest := w.host + "/hello/web@" + released.Digest
	d.must(t, "", "pull", byDigest)
	d.must(t, "", "rmi", byDigest)
}

func TestDockerShowsWhyAPushIsRefused(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	noCommand := func(c *v1.ConfigFile) { c.Config.Entrypoint, c.Config.Cmd = nil, nil }
	for _, row := range []struct {
		ref, says string
		change    func(*v1.ConfigFile)
	}{
		{"other/web:latest", "You do not have access to the app other.", func(*v1.ConfigFile) {}},
		{"ab/web:latest", "must be 3 to 30 characters long", func(*v1.ConfigFile) {}},
		{"hello/releases:latest", "written by the platform only", func(*v1.ConfigFile) {}},
		{"hello/web:latest", "This image has no command.", noCommand},
	} {
		out, err := d.run(t, "", "push", d.load(t, w, row.ref, image(t, row.change)))
		if err == nil || !strings.Contains(out, "denied") || !strings.Contains(out, row.says) {
			t.Errorf("%s: %v\n%s", row.ref, err, out)
		}
	}
}

// TestDockerShowsWhyItsLookForABlobIsRefused: of an image without layers docker
// asks for the config before it uploads a thing, and a look has no answer to read.
func TestDockerShowsWhyItsLookForABlobIsRefused(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	bare := configured(t, empty.Image, func(c *v1.ConfigFile) {
		c.OS, c.Architecture = "linux", "amd64"
		c.Config.Cmd = []string{"/app"}
	})
	out, err := d.run(t, "", "push", d.load(t, w, "other/web:latest", bare))
	if err == nil || !strings.Contains(out, "You do not have access to the app other.") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDockerShowsThatALayerIsTooLarge(t *testing.T) {
	w, d := newFixture(t, func(o *registry.Options) { o.MaxImageBytes = 1 << 20 }), docker{t.TempDir()}
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	out, err := d.run(t, "", "push", d.load(t, w, "hello/web:latest", bigTar(t, 8<<20)))
	if err == nil || !strings.Contains(out, "larger than the platform takes") {
		t.Errorf("%v\n%s", err, out)
	}
}
