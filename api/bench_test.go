package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
	"renga/store"
	"renga/store/redisserver"
	"renga/store/storetest"
)

// BenchmarkAPI measures the median and the 99th percentile of the most frequent
// requests, with 16 clients at once, over HTTP, with the real ledger and a
// supervised Redis that fsyncs every write. The floor is one round trip to that
// Redis that reads, and one that writes.
func BenchmarkAPI(b *testing.B) {
	for _, size := range []struct{ apps, releases int }{{1000, 100}, {100, 10}, {100, 1000}} {
		b.Run(fmt.Sprintf("apps=%d/releases=%d", size.apps, size.releases), func(b *testing.B) {
			h := benchPlatform(b, size.apps, size.releases)
			b.Run("floor_read", func(b *testing.B) { sampled(b, h.db.Ping) })
			b.Run("floor_write", func(b *testing.B) {
				sampled(b, func(ctx context.Context) error { return h.db.SaveDynos(ctx, appNumbered(0), nil) })
			})
			var n atomic.Int64
			one := func() string { return fmt.Sprintf("/apps/app-%d", n.Add(1)%int64(size.apps)) }
			changed := func() string { return fmt.Sprintf("/apps/app-%d", n.Add(1)%clients) }
			for _, c := range []struct {
				name, method, ranged string
				path, body           func() string
			}{
				{"GET_apps", "GET", "", func() string { return "/apps" }, nil},
				// as the official CLI
				{
					"GET_releases", "GET", "version ..; max=15, order=desc",
					func() string { return one() + "/releases" }, nil,
				},
				{"GET_releases_page", "GET", "", func() string { return one() + "/releases" }, nil},
				{"PATCH_config-vars", "PATCH", "", func() string { return changed() + "/config-vars" },
					func() string { return fmt.Sprintf(`{"TRY":"%d"}`, n.Load()) }},
				{"PATCH_formation", "PATCH", "", func() string { return one() + "/formation" },
					func() string { return fmt.Sprintf(`{"updates":[{"type":"web","quantity":%d}]}`, n.Load()%10) }},
			} {
				b.Run(c.name, func(b *testing.B) {
					sampled(b, func(ctx context.Context) error {
						body := ""
						if c.body != nil {
							body = c.body()
						}
						status, err := h.askRange(ctx, c.method, c.path(), c.ranged, body, nil)
						if err == nil && status != http.StatusOK && status != http.StatusPartialContent {
							err = fmt.Errorf("%s: status %d", c.name, status)
						}
						return err
					})
				})
			}
		})
	}
}

// clients is how many ask at once.
const clients = 16

// sampled runs do from all clients, b.N times in all, and reports how long single
// calls took.
func sampled(b *testing.B, do func(context.Context) error) {
	b.Helper()
	var (
		wg   sync.WaitGroup
		left atomic.Int64
		took [clients][]time.Duration
	)
	left.Store(int64(b.N))
	for i := range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := do(b.Context()); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took[:]...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
}

// benchPlatform is a platform with that many apps of that many releases each. The
// store has all of their records. Of the first 16 apps, those that are changed,
// the ledger has all releases, of the others the first one only: the rest is
// never opened, and writing it would take hours.
func benchPlatform(b *testing.B, apps, releases int) *platform {
	b.Helper()
	db := supervisedStore(b)
	h := newPlatform(b, db)
	h.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	ok(b, db.BeginRestore(b.Context(), storetest.Platform))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(apps); i = next.Add(1) - 1 {
				if err := h.restore(b.Context(), int(i), releases); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	ok(b, db.EndRestore(b.Context(), storetest.Platform))
	if b.Failed() {
		b.FailNow()
	}
	return h
}

func appNumbered(i int) renga.AppID {
	return renga.AppID(fmt.Sprintf("20000000-0000-4000-8000-%012d", i))
}

func (h *platform) restore(ctx context.Context, i, releases int) error {
	a := renga.App{
		ID: appNumbered(i), Name: fmt.Sprintf("app-%d", i),
		Owner: wiretest.Ada.ID, CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born,
	}
	rel := renga.Release{
		App: a.ID, AppName: a.Name, Version: 1, Description: "Initial release", By: wiretest.Ada.ID,
		CreatedAt: wiretest.Born,
		Inputs:    renga.Inputs{Vars: renga.Vars{"COLOR": "blue"}}.Clone(),
	}
	records := make([]renga.ReleaseRecord, releases)
	for n := range records {
		rel.Version = n + 1
		if n == 0 || i < clients {
			var err error
			if rel.Digest, err = h.ledger.Put(ctx, rel); err != nil {
				return err
			}
			rel.Previous = rel.Digest
		}
		records[n] = rel.Record()
	}
	records[releases-1].Images = map[renga.ProcessType]renga.Image{renga.Web: wiretest.Image(renga.Web, 2)}
	return h.db.Restore(ctx, storetest.Platform, a, records)
}

// supervisedStore is a store on a Redis as the platform runs it.
func supervisedStore(b *testing.B) *store.Store {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := redisserver.New(b.TempDir(), "redis-server", log)
	ok(b, err)
	ok(b, server.Start(b.Context()))
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	db, err := store.Open(b.Context(), store.Options{URL: server.URL(), Sealer: storetest.Sealer{}, Log: log})
	ok(b, err)
	b.Cleanup(func() { ok(b, db.Close()) })
	ok(b, db.Adopt(b.Context(), storetest.Platform, true))
	ok(b, db.EnsureAccount(b.Context(), wiretest.Ada, "ada-token"))
	return db
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
