package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

const (
	// samples is how often each way to get dynos served is tried, unless budget
	// is used up before.
	samples = 15
	budget  = 40 * time.Second
	// fewest is how many samples are taken in any case.
	fewest = 3
	// wakes is how often an app is woken.
	wakes = 12
)

// rounds counts up to samples while there is time.
func rounds(yield func(int) bool) {
	began := time.Now()
	for n := range samples {
		if n >= fewest && time.Since(began) > budget || !yield(n) {
			return
		}
	}
}

// BenchmarkPushToServed is the time from the end of a push to the first answer
// of the new version through the router. The floor is the engine's time for a
// container of the same image: after docker push the engine has it; after a push
// from elsewhere the engine pulls it, the floor's too.
func BenchmarkPushToServed(b *testing.B) {
	b.Run("docker", func(b *testing.B) {
		w, f := deployed(b, "docker")
		var r race
		last := w.imageID("v0")
		for n := range rounds {
			version := fmt.Sprintf("v%d", n+1)
			before := f.serve(last, fmt.Sprintf("v%d", n))
			_, err := w.DockerPush(b.Context(), "docker", w.image(version))
			w.must(err)
			took := w.timed(func() { w.served("docker", version) })
			w.alone("docker", 1)
			last = w.imageID(version)
			r.add(before, took, f.serve(last, version))
		}
		r.report(b)
	})
	b.Run("remote", func(b *testing.B) {
		w, f := deployed(b, "remote")
		var r race
		for n := range rounds {
			version := fmt.Sprintf("v%d", n+1)
			before := f.pulled(version + "-before")
			w.push("remote", version)
			took := w.timed(func() { w.served("remote", version) })
			w.alone("remote", 1)
			r.add(before, took, f.pulled(version+"-after"))
		}
		r.report(b)
	})
}

// BenchmarkRollbackToServed is the time from the answer to a rollback to the
// first answer of the old version.
func BenchmarkRollbackToServed(b *testing.B) {
	w, f := deployed(b, "back")
	w.push("back", "v1")
	w.served("back", "v1")
	w.alone("back", 1)
	var r race
	var calls []time.Duration
	for n := range rounds {
		version := fmt.Sprintf("v%d", n%2) // v0 is release v2, v1 is v3
		before := f.serve(w.imageID(version), version)
		calls = append(calls, w.timed(func() {
			w.ask(http.MethodPost, "/apps/back/releases", map[string]string{"release": fmt.Sprintf("v%d", 2+n%2)})
		}))
		took := w.timed(func() { w.served("back", version) })
		w.alone("back", 1)
		r.add(before, took, f.serve(w.imageID(version), version))
	}
	figures.add(b, "api-ms", quantile(calls, 0.5), 0)
	r.report(b)
}

// BenchmarkRestart is the time from the answer to a restart of all dynos to the
// first answer of another process.
func BenchmarkRestart(b *testing.B) {
	w, f := deployed(b, "again")
	var r race
	var calls []time.Duration
	for range rounds {
		before := f.serve(w.imageID("v0"), "v0")
		old := w.text(b.Context(), "again", "/pid")
		calls = append(calls, w.timed(func() { w.ask(http.MethodDelete, "/apps/again/dynos", nil) }))
		took := w.timed(func() {
			w.until(func(ctx context.Context) bool {
				now := w.text(ctx, "again", "/pid")
				return now != "" && now != old
			}, "another process answers")
		})
		w.alone("again", 1)
		r.add(before, took, f.serve(w.imageID("v0"), "v0"))
	}
	figures.add(b, "api-ms", quantile(calls, 0.5), 0)
	r.report(b)
}

// BenchmarkWake is the time of the request that wakes an app, to the first byte
// of its answer. Nobody asks besides, neither then nor while the floor is taken.
func BenchmarkWake(b *testing.B) {
	w, f := deployed(b, "sleepy")
	w.ask(http.MethodPatch, "/apps/sleepy/sleep", map[string]int{"after": 1})
	var r race
	for range wakes {
		w.alone("sleepy", 0)
		before := f.start(w.imageID("v0"), "v0")
		took := w.timed(func() {
			if got := w.text(b.Context(), "sleepy", "/"); got != hello("v0") {
				b.Fatalf("woken, it said %q", got)
			}
		})
		w.alone("sleepy", 0)
		r.add(before, took, f.start(w.imageID("v0"), "v0"))
	}
	r.report(b)
}

// deployed is a platform with one app that serves v0, and a floor of it.
func deployed(b *testing.B, app string) (platform, *floor) {
	b.Helper()
	w := start(b)
	_, err := w.DockerPush(b.Context(), app, w.image("v0"))
	w.must(err)
	w.served(app, "v0")
	w.ask(http.MethodPost, "/apps", map[string]string{"name": "floor"})
	return w, newFloor(w, app)
}

// pulled is how long the engine takes to pull an image that it does not have
// and to serve it.
func (f *floor) pulled(version string) time.Duration {
	f.b.Helper()
	repository := "floor:" + version // only the tag latest makes releases
	f.push(repository, version)
	return f.pull(f.Addr+"/"+repository) + f.serve(f.imageID(version), version)
}

// imageID is what the engine calls the image of a version.
func (w platform) imageID(version string) string {
	w.b.Helper()
	id, err := w.image(version).ConfigName()
	w.must(err)
	return id.String()
}

func (w platform) timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}
