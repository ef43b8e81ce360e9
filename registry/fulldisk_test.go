package registry_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
	"renga/durable/durabletest"
	"renga/registry"
)

// TestOnAFullDiskNothingIsPushedAndAllElseGoesOn on a real file system: pulls, also by
// the dyno manager, rollbacks, collections; and that pushes come back only once there is
// some room to spare.
func TestOnAFullDiskNothingIsPushedAndAllElseGoesOn(t *testing.T) {
	dir := durabletest.SmallDisk(t, 32)
	f := newCollectFixture(t, time.Hour, 0, onSmallDisk(dir, 8<<20))
	f.keep("hello", renga.Retention{Releases: 2})
	first, next := image(t), image(t)
	f.pushAs(t, "alice", "hello/web:latest", first)
	f.pushAs(t, "alice", "hello/web:latest", next)
	filler := fill(t, filepath.Join(dir, "filler"), 26<<20)
	refused := func(when string) {
		t.Helper()
		res, body := f.do(t, "alice-token", http.MethodPost, "/v2/hello/web/blobs/uploads/", nil, nil)
		if res.StatusCode != http.StatusForbidden || ociCode(t, body) != "DENIED" {
			t.Errorf("%s an upload is answered %d %s", when, res.StatusCode, body)
		}
	}
	refused("on a full disk")
	for _, token := range []string{"alice-token", "pull-secret"} {
		img, err := remote.Image(f.ref(t, "hello/releases@"+digestOf(t, first)), as(token)...)
		must(t, err)
		must(t, readAll(img))
	}
	versions := f.store.versions("app-hello")
	app, err := f.AppByRepository(t.Context(), "hello")
	must(t, err)
	must(t, f.store.release(t.Context(), app, versions[0].Images)) // a rollback
	if got := f.store.versions("app-hello"); len(got) != 3 || got[2].Images["web"].Digest != digestOf(t, first) {
		t.Errorf("after the rollback the releases are %v", got)
	}
	f.collect(t, false)
	must(t, os.Truncate(filler, 23<<20)) // 9 MiB are free, which is more than the mark
	refused("a little above the mark")
	must(t, os.Truncate(filler, 10<<20))
	f.pushAs(t, "alice", "hello/web:latest", image(t))
}

// TestPastCollectionsAreRemembered with what they did and how they ended.
func TestPastCollectionsAreRemembered(t *testing.T) {
	f := newCollectFixture(t, time.Hour, 48*time.Hour)
	for range 4 {
		f.pushAs(t, "alice", "hello/web:latest", image(t))
	}
	f.collect(t, true)
	if past := f.collector.Collections(); len(past) != 0 {
		t.Errorf("a dry run is remembered: %v", past)
	}
	done := f.collect(t, false)
	f.store.fail = renga.Errorf(renga.Unavailable, "Redis is away.")
	if _, err := f.collector.Collect(t.Context(), false); err == nil {
		t.Error("a collection without records is no error")
	}
	past, totals := f.collector.Collections(), f.collector.Totals()
	if len(past) != 2 || past[0].Fault != "Redis is away." || past[1].Fault != "" || past[1].Removed != done.Removed ||
		past[1].Removed == 0 || past[1].Marked == 0 {
		t.Errorf("remembered are %+v", past)
	}
	if want := (registry.CollectTotals{
		Collections: 2, Failed: 1, Removed: int64(done.Removed), Bytes: done.Bytes, Took: totals.Took,
	}); totals != want {
		t.Errorf("totals are %+v, want %+v", totals, want)
	}
}
