package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"renga/e2e"
)

var (
	// kit is what all benchmarks run, built once by TestMain.
	kit *e2e.Kit
	// figures are what they found, printed by TestMain.
	figures report
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("RENGA_BINARY") == "" {
		dir, err := os.MkdirTemp("", "renga-bench-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: the system's to clear
		if err := buildRelease(filepath.Join(dir, "renga")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := e2e.Main(m, func(k *e2e.Kit) { kit = k })
	figures.print(os.Stdout)
	return code
}

// buildRelease builds the binary as users get it, and has the kit take it.
func buildRelease(binary string) error {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", binary, "renga/cmd/renga")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build renga: %w\n%s", err, text)
	}
	return os.Setenv("RENGA_BINARY", binary)
}

// platform is a running platform of its own, and what all benchmarks do to it.
type platform struct {
	*e2e.Platform
	b     *testing.B
	token string
}

// start starts a platform that is stopped when the benchmark ends.
func start(b *testing.B, args ...string) platform {
	b.Helper()
	w := platform{Platform: kit.Platform(b), b: b}
	w.must(w.Start(b.Context(), args...))
	var err error
	w.token, err = w.Token(b.Context())
	w.must(err)
	return w
}

// must ends the benchmark when there is an error.
func (w platform) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

// ask sends a request to the API that must succeed.
func (w platform) ask(method, path string, body any) {
	w.b.Helper()
	w.must(w.tryAsk(w.b.Context(), method, path, body))
}

// tryAsk is ask for other goroutines than the benchmark's own.
func (w platform) tryAsk(ctx context.Context, method, path string, body any) error {
	answer, err := w.APIAs(ctx, w.token, method, path, body)
	if err == nil && answer.Status >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %d %s", method, path, answer.Status, answer.Body)
	}
	return err
}

// image makes an image of that version.
func (w platform) image(version string) v1.Image {
	w.b.Helper()
	img, err := w.Image(e2e.Image{Version: version})
	w.must(err)
	return img
}

// push pushes a version to a repository.
func (w platform) push(repository, version string) {
	w.b.Helper()
	w.must(w.PushImage(w.b.Context(), repository, w.image(version)))
}

// hello is what GET / answers from a version.
func hello(version string) string { return "hello from " + version }

// served waits until GET / of an app is answered by a version.
func (w platform) served(app, version string) {
	w.b.Helper()
	w.until(func(ctx context.Context) bool { return w.text(ctx, app, "/") == hello(version) }, app+" serves "+version)
}

// alone waits until an app has that many containers and no other, so that the
// end of an old dyno is not part of the next sample.
func (w platform) alone(app string, dynos int) {
	w.b.Helper()
	w.must(e2e.Poll(w.b.Context(), func() error {
		all, err := w.Containers(w.b.Context(), app)
		if err == nil && len(all) != dynos {
			err = fmt.Errorf("%s has %d containers, want %d", app, len(all), dynos)
		}
		return err
	}))
}

// text is what an app answers with 200; empty when it does not.
func (w platform) text(ctx context.Context, app, path string) string {
	answer, err := w.Get(ctx, app, path)
	if err != nil || answer.Status != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(answer.Body))
}

const (
	// step is how often something is asked again whose moment is measured. More
	// often would slow down what is waited for.
	step = 10 * time.Millisecond
	// waitTimeout bounds the wait for it.
	waitTimeout = 60 * time.Second
)

// until asks every step until the answer is yes.
func (w platform) until(ask func(context.Context) bool, what string) {
	w.b.Helper()
	ctx, cancel := context.WithTimeout(w.b.Context(), waitTimeout)
	defer cancel()
	tick := time.NewTicker(step)
	defer tick.Stop()
	for !ask(ctx) {
		select {
		case <-ctx.Done():
			w.b.Fatalf("gave up waiting until %s\n%s", what, w.Log())
		case <-tick.C:
		}
	}
}
