package docker_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/uuid"

	"renga"
	"renga/docker"
	dockerengine "renga/runtime/docker"
	"renga/runtime/engine"
)

// pullToken is what the tests' registry asks for.
const pullToken = "pull-token-of-the-test"

// size is small and has every limit.
var size = renga.Size{Name: "tiny", MemoryBytes: 64 << 20, CPUs: 0.5, Pids: 64}

// options are those of an engine and of its client.
type options struct {
	docker.Options
	LogMaxBytes int64
}

// fixture is an engine of a platform of its own on the real daemon, a client to
// look behind it, and a registry. All that is made under the platform's label
// is removed at the test's end.
type fixture struct {
	*testing.T
	engine   *dockerengine.Engine
	client   *docker.Client
	options  options
	raw      *client.Client
	registry *testRegistry
}

func newFixture(t *testing.T, change ...func(*options)) *fixture {
	t.Helper()
	w := &fixture{T: t, raw: rawClient(t), registry: newRegistry(t)}
	w.options.Options = docker.Options{
		Platform: "test-" + uuid.NewString(), Registry: w.registry.host, PullToken: pullToken,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&w.options)
	}
	w.engine, w.client = newEngine(t, w.options)
	t.Cleanup(func() { w.sweep(w.options.Platform) })
	return w
}

func newEngine(t *testing.T, o options) (*dockerengine.Engine, *docker.Client) {
	t.Helper()
	c, err := docker.New(o.Options)
	if err != nil {
		t.Fatal(err)
	}
	return dockerengine.New(c, dockerengine.Options{LogMaxBytes: o.LogMaxBytes, Log: o.Log}), c
}

func rawClient(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	c.NegotiateAPIVersion(t.Context())
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sweep removes a platform's containers and networks, and says what was left.
func (w *fixture) sweep(platform string) {
	ctx := context.Background()
	for _, c := range w.containers(platform) {
		if err := w.raw.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			w.Errorf("sweep: %v", err)
		}
	}
	kept := filters.NewArgs(filters.Arg("reference", "renga/"+w.client.BridgePrefix()+"/*"))
	images, err := w.raw.ImageList(ctx, image.ListOptions{Filters: kept})
	if err != nil {
		w.Errorf("sweep: %v", err)
	}
	for _, img := range images {
		for _, tag := range img.RepoTags {
			if _, err := w.raw.ImageRemove(ctx, tag, image.RemoveOptions{}); err != nil {
				w.Errorf("sweep: %v", err)
			}
		}
	}
	for _, n := range w.networks(platform) {
		if err := w.raw.NetworkRemove(ctx, n.ID); err != nil {
			w.Errorf("sweep: %v", err)
		}
	}
}

func byPlatform(platform string) filters.Args {
	return filters.NewArgs(filters.Arg("label", "renga.platform="+platform))
}

func (w *fixture) containers(platform string) []container.Summary {
	w.Helper()
	all := container.ListOptions{All: true, Filters: byPlatform(platform)}
	found, err := w.raw.ContainerList(context.Background(), all)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func (w *fixture) volumes(platform string) []*volume.Volume {
	w.Helper()
	found, err := w.raw.VolumeList(context.Background(), volume.ListOptions{Filters: byPlatform(platform)})
	if err != nil {
		w.Fatal(err)
	}
	return found.Volumes
}

// disk makes a volume, until a test's end.
func (w *fixture) disk(t *testing.T, name string) {
	t.Helper()
	if _, err := w.client.NewDisk(t.Context(), name, nil, 1<<30); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for _, c := range w.containers(w.options.Platform) {
			if err := w.raw.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
				t.Errorf("remove a dyno: %v", err)
			}
		}
		if err := w.client.RemoveDisk(ctx, name); err != nil {
			t.Error(err)
		}
	})
}

func (w *fixture) networks(platform string) []network.Summary {
	w.Helper()
	found, err := w.raw.NetworkList(context.Background(), network.ListOptions{Filters: byPlatform(platform)})
	if err != nil {
		w.Fatal(err)
	}
	return found
}

// spec is a dyno of a new app that runs the test program with those arguments.
func (w *fixture) spec(args ...string) engine.Spec {
	w.Helper()
	return specOf(testImage(w.T), args...)
}

func specOf(img renga.Image, args ...string) engine.Spec {
	img.Command = append([]string{"/bin/dyno"}, args...)
	return engine.Spec{
		App: renga.AppID(uuid.NewString()), AppName: "blog", Dyno: uuid.NewString(), Name: "web.1", Type: renga.Web,
		Release: 7, Image: img, Env: renga.Vars{"PORT": "8080", "DYNO": "web.1"}, Size: size, Port: 8080,
	}
}

// again is another dyno of the same app.
func again(s engine.Spec, args ...string) engine.Spec {
	s.Dyno = uuid.NewString()
	if len(args) > 0 {
		s.Image.Command = append([]string{"/bin/dyno"}, args...)
	}
	return s
}

func (w *fixture) start(s engine.Spec) engine.Instance {
	w.Helper()
	in, err := w.engine.Start(w.Context(), s)
	if err != nil {
		w.Fatal(err)
	}
	return in
}

func (w *fixture) list(app renga.AppID) []engine.Instance {
	w.Helper()
	all, err := w.engine.List(w.Context(), app)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *fixture) inspect(id string) container.InspectResponse {
	w.Helper()
	c, err := w.raw.ContainerInspect(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// exited waits for an instance's end.
func (w *fixture) exited(app renga.AppID, id string) engine.Instance {
	w.Helper()
	var last engine.Instance
	until(w, "the dyno has exited", func() bool {
		for _, in := range w.list(app) {
			if in.ID == id {
				last = in
			}
		}
		return last.State == engine.Exited
	})
	return last
}

// until polls what the daemon does in its own time.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
