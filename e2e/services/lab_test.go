package services_test

import (
	"context"
	"crypto/rand"
	"os/exec"
	"strings"
	"testing"
	"time"

	"renga/e2e/services"
)

// lab is a network of its own with containers and volumes, all of which are removed at the end of the test.
type lab struct {
	t    *testing.T
	name string // of the network; also the beginning of the names of all else
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	l := &lab{t, "renga-services-" + strings.ToLower(rand.Text()[:10])}
	t.Cleanup(l.remove)
	l.docker("network", "create", l.name)
	return l
}

// image makes the image, unless it is there.
func (l *lab) image(name string) string {
	l.t.Helper()
	tag, err := services.Build(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	return tag
}

// start runs a container that the network knows by that name; args are docker run's.
func (l *lab) start(name string, args ...string) {
	l.t.Helper()
	l.docker(append([]string{"run", "--detach", "--name", l.name + "-" + name, "--label", l.name,
		"--network", l.name, "--network-alias", name}, args...)...)
}

// create is start without starting it.
func (l *lab) create(name string, args ...string) {
	l.t.Helper()
	l.docker(append([]string{"create", "--name", l.name + "-" + name, "--label", l.name,
		"--network", l.name, "--network-alias", name}, args...)...)
}

// end removes a container; what is on its named volumes stays.
func (l *lab) end(name string) {
	l.t.Helper()
	l.docker("stop", l.name+"-"+name)
	l.docker("rm", "--volumes", l.name+"-"+name)
}

// volume is an argument that puts a volume of the lab at a path.
func (l *lab) volume(path string) string { return "--volume=" + l.name + ":" + path }

// once runs a program in a container of its own and returns what it printed.
func (l *lab) once(args ...string) (string, error) {
	return try(l.t.Context(), append([]string{"run", "--rm", "--label", l.name, "--network", l.name}, args...)...)
}

// exec runs a program in a container that runs.
func (l *lab) exec(name string, args ...string) string {
	l.t.Helper()
	return l.docker(append([]string{"exec", l.name + "-" + name}, args...)...)
}

// docker runs docker; the test fails with it.
func (l *lab) docker(args ...string) string {
	l.t.Helper()
	out, err := try(l.t.Context(), args...)
	if err != nil {
		l.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// eventually asks again and again until the answer is want, for a minute.
func (l *lab) eventually(want string, ask func() (string, error)) {
	l.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if out, err = ask(); err == nil && out == want {
			return
		}
	}
	l.t.Fatalf("the answer is %q, %v; want %q", out, err, want)
}

func (l *lab) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if l.t.Failed() {
		l.t.Log(l.logs(ctx))
	}
	ids, err := try(ctx, "ps", "--all", "--quiet", "--filter", "label="+l.name)
	if err == nil && ids != "" {
		_, err = try(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...)
	}
	if err != nil {
		l.t.Error(err)
	}
	_, _ = try(ctx, "volume", "rm", l.name) // not all tests have one
	if out, err := try(ctx, "network", "rm", l.name); err != nil {
		l.t.Error(err, out)
	}
}

// logs are the last lines of all containers.
func (l *lab) logs(ctx context.Context) string {
	names, _ := try(ctx, "ps", "--all", "--format", "{{.Names}}", "--filter", "label="+l.name)
	var all strings.Builder
	for _, name := range strings.Fields(names) {
		out, _ := try(ctx, "logs", "--tail", "30", name)
		all.WriteString(name + ":\n" + out + "\n")
	}
	return all.String()
}

func try(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
