package bench_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"
)

// floor is the engine without the platform: it makes containers that are twins
// of a dyno, with the same settings on the same network, which the platform does
// not know.
type floor struct {
	platform
	app     string
	api     *client.Client
	config  container.Config
	host    container.HostConfig
	network string
	port    string
	http    *http.Client
}

// newFloor copies the only dyno of an app.
func newFloor(w platform, app string) *floor {
	w.b.Helper()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	w.must(err)
	w.b.Cleanup(func() { _ = api.Close() }) // nothing was written
	dynos, err := w.Containers(w.b.Context(), app)
	w.must(err)
	if len(dynos) != 1 {
		w.b.Fatalf("%s has %d dynos, want one to copy", app, len(dynos))
	}
	c, err := api.ContainerInspect(w.b.Context(), dynos[0].ID)
	w.must(err)
	f := &floor{platform: w, app: app, api: api, config: *c.Config, host: *c.HostConfig, port: dynos[0].Env["PORT"]}
	for _, n := range c.NetworkSettings.Networks {
		f.network = n.NetworkID
	}
	f.config.Labels = maps.Clone(c.Config.Labels)
	maps.DeleteFunc(f.config.Labels, func(name, _ string) bool { return strings.HasPrefix(name, "renga.") && name != "renga.e2e" })
	// Each image brings its own version, which the copied environment must not hide.
	f.config.Env = slices.DeleteFunc(slices.Clone(f.config.Env), func(entry string) bool { return strings.HasPrefix(entry, "APP_VERSION=") })
	f.http = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return f
}

// serve is how long it takes to create and start a container of an image, until
// it answers. The app is asked all the while, as it is when the platform's time
// is taken, for asking takes time from the engine.
func (f *floor) serve(image, version string) time.Duration {
	f.b.Helper()
	defer f.asking()()
	return f.start(image, version)
}

// start is serve while nobody asks.
func (f *floor) start(image, version string) time.Duration {
	f.b.Helper()
	ctx, began := f.b.Context(), time.Now()
	f.config.Image = image
	made, err := f.api.ContainerCreate(ctx, &f.config, &f.host, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{f.network: {}},
	}, nil, "")
	f.must(err)
	f.must(f.api.ContainerStart(ctx, made.ID, container.StartOptions{}))
	c, err := f.api.ContainerInspect(ctx, made.ID)
	f.must(err)
	url := "http://" + net.JoinHostPort(address(c, f.network), f.port) + "/"
	f.until(func(ctx context.Context) bool { return f.body(ctx, url) == hello(version) }, "the twin answers")
	took := time.Since(began)
	f.must(f.api.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	return took
}

// asking asks the app every step until it is ended.
func (f *floor) asking() (end func()) {
	ctx, cancel := context.WithCancel(f.b.Context())
	var asker sync.WaitGroup
	asker.Go(func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for ctx.Err() == nil {
			f.text(ctx, f.app, "/")
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		asker.Wait()
	}
}

// pull is how long the engine takes to pull from the platform's registry.
func (f *floor) pull(reference string) time.Duration {
	f.b.Helper()
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: "renga", Password: f.token})
	f.must(err)
	defer f.asking()()
	began := time.Now()
	progress, err := f.api.ImagePull(f.b.Context(), reference, image.PullOptions{RegistryAuth: auth})
	f.must(err)
	_, err = io.Copy(io.Discard, progress)
	f.must(err)
	f.must(progress.Close())
	return time.Since(began)
}

// address is the container's in that network.
func address(c container.InspectResponse, network string) string {
	for _, n := range c.NetworkSettings.Networks {
		if n.NetworkID == network {
			return n.IPAddress
		}
	}
	return ""
}

// body is what a URL answers; empty when it does not.
func (f *floor) body(ctx context.Context, url string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	f.must(err)
	answer, err := f.http.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// race holds the samples of one way to get dynos served, and of the floor
// beside each.
type race struct {
	floors, served, over []time.Duration
}

// add notes how long it took until the platform served, and the floor just
// before and just after.
func (r *race) add(before, served, after time.Duration) {
	r.floors = append(r.floors, before, after)
	r.served = append(r.served, served)
	r.over = append(r.over, served-(before+after)/2)
}

// aimOver is how much longer than the engine alone the platform may take, in
// milliseconds.
const aimOver = 150

func (r *race) report(b *testing.B) {
	figures.add(b, "samples", float64(len(r.served)), 0)
	figures.add(b, "floor-ms", quantile(r.floors, 0.5), 0)
	figures.add(b, "served-ms", quantile(r.served, 0.5), 0)
	figures.add(b, "over-ms", quantile(r.over, 0.5), aimOver)
	figures.add(b, "times-floor", quantile(r.served, 0.5)/quantile(r.floors, 0.5), 0)
	b.Logf("served %v, over the floor by %v", r.served, r.over)
}
