package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"renga/e2e"
)

const (
	startReleases = 20
	startDynos    = 5
	startTimes    = 5
	// startMakers is how many apps are made at once.
	startMakers = 16
	// aimStart is how long a start with a thousand apps may take, in
	// milliseconds.
	aimStart = 5000
)

// BenchmarkStart is the time from the start of the process until the routes of
// all apps are known: a thousand apps of twenty releases each. The apps are made
// through the API, so the data directory is what users have. Five of them have
// a running dyno, which the platform must find again; a thousand containers fit
// on no machine that is here.
func BenchmarkStart(b *testing.B) {
	w := start(b)
	apps := startApps(w)
	began := time.Now()
	makeApps(w, apps)
	b.Logf("%d releases made in %s", apps*startReleases, time.Since(began).Round(time.Second))
	var listens, routes []time.Duration
	for range startTimes {
		w.must(w.Stop())
		began := time.Now()
		w.must(w.Launch())
		w.until(func(ctx context.Context) bool { return w.routes(ctx) != "" }, "it listens")
		listens = append(listens, time.Since(began))
		w.until(func(ctx context.Context) bool { return w.routes(ctx) == "ok" }, "all routes are known")
		routes = append(routes, time.Since(began))
		for n := range startDynos { // a complete table has them
			if got := w.text(b.Context(), appName(n), "/"); got != hello(appName(n)) {
				b.Errorf("%s answers %q", appName(n), got)
			}
		}
	}
	figures.add(b, "apps", float64(apps), 0)
	figures.add(b, "listens-ms", quantile(listens, 0.5), 0)
	figures.add(b, "routes-ms", quantile(routes, 0.5), aimStart)
	figures.add(b, "rss-MB", memory(w, w.Pid(), "VmRSS"), 0)
}

func startApps(w platform) int {
	w.b.Helper()
	text := os.Getenv("RENGA_BENCH_APPS")
	if text == "" {
		return 1000
	}
	apps, err := strconv.Atoi(text)
	w.must(err)
	return max(apps, startDynos)
}

func appName(n int) string { return fmt.Sprintf("app-%d", n) }

// makeApps makes the apps, several at once.
func makeApps(w platform, apps int) {
	w.b.Helper()
	all, ctx := errgroup.WithContext(w.b.Context())
	all.SetLimit(startMakers)
	for n := range apps {
		all.Go(func() error { return makeApp(ctx, w, n) })
	}
	w.must(all.Wait())
	for n := range startDynos {
		w.served(appName(n), appName(n))
		w.alone(appName(n), 1)
	}
}

// makeApp makes one app: its first release, config changes, and at last, for
// some, a push.
func makeApp(ctx context.Context, w platform, n int) error {
	app, last := appName(n), startReleases
	if err := w.tryAsk(ctx, http.MethodPost, "/apps", map[string]string{"name": app}); err != nil {
		return err
	}
	if n < startDynos {
		last--
	}
	for version := 2; version <= last; version++ {
		vars := map[string]string{"VERSION": strconv.Itoa(version)}
		if err := w.tryAsk(ctx, http.MethodPatch, "/apps/"+app+"/config-vars", vars); err != nil {
			return err
		}
	}
	if n >= startDynos {
		return nil
	}
	img, err := w.Image(e2e.Image{Version: app})
	if err != nil {
		return err
	}
	return w.PushImage(ctx, app, img)
}

// routes is what /healthz says of the routes; empty when it does not answer.
func (w platform) routes(ctx context.Context) string {
	answer, err := w.Do(ctx, e2e.Request{Path: "/healthz"})
	if err != nil {
		return ""
	}
	var health struct {
		Checks map[string]string `json:"checks"`
	}
	if json.Unmarshal(answer.Body, &health) != nil {
		return ""
	}
	return health.Checks["routes"]
}
