package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
	"renga/registry"
)

// collectFixture is a registry with its ledger, a releaser that writes real releases,
// and a collector whose clock is days ahead, so that everything is old.
type collectFixture struct {
	*fixture
	ledger    *registry.Ledger
	collector *registry.Collector
	store     *fakeHistory
	ahead     time.Duration
}

// fakeHistory is the store: it records the releases that pushes make.
type fakeHistory struct {
	*fakeDirectory
	ledger  *registry.Ledger
	mu      sync.Mutex
	records map[renga.AppID][]renga.ReleaseRecord
	running map[renga.AppID][]int
	fail    error
	kept    map[renga.AppID]map[string]bool
}

func (h *fakeHistory) Push(ctx context.Context, p renga.Push) error {
	app, err := h.AppByRepository(ctx, p.App)
	if err != nil {
		return err
	}
	return h.release(ctx, app, p.Images)
}

// release writes the next release of an app.
func (h *fakeHistory) release(ctx context.Context, app renga.App, images map[renga.ProcessType]renga.Image) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.records[app.ID]
	r := renga.Release{
		App: app.ID, AppName: app.Name, Version: len(all) + 1, Inputs: renga.Inputs{Images: images}, CreatedAt: time.Now(),
	}
	if len(all) > 0 {
		r.Previous = all[len(all)-1].Digest
	}
	dgst, err := h.ledger.Put(ctx, r)
	if err != nil {
		return err
	}
	r.Digest = dgst
	rec := r.Record()
	rec.Outcome.Status = renga.Succeeded
	h.records[app.ID] = append(slices.Clone(all), rec)
	return nil
}

func (h *fakeHistory) Apps(context.Context) ([]renga.App, error) {
	h.fakeDirectory.mu.Lock()
	defer h.fakeDirectory.mu.Unlock()
	var all []renga.App
	for _, a := range h.apps {
		all = append(all, a)
	}
	return all, nil
}

func (h *fakeHistory) Releases(_ context.Context, app renga.AppID, _ renga.ReleaseQuery) ([]renga.ReleaseRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.records[app])
	if len(all) > 0 {
		all[len(all)-1].Current, all[len(all)-1].Live = true, true
	}
	return all, h.fail
}

// Head is the newest release of an app, as the store knows it.
func (h *fakeHistory) Head(_ context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	all := h.versions(app)
	if len(all) == 0 {
		return renga.ReleaseRecord{}, nil
	}
	return all[len(all)-1], nil
}

func (h *fakeHistory) versions(app renga.AppID) []renga.ReleaseRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.records[app]
}

func newCollectFixture(t testing.TB, grace, ahead time.Duration, change ...func(*registry.Options)) *collectFixture {
	t.Helper()
	f := &collectFixture{ahead: ahead}
	keys := &ledgerKeys{}
	keys.rotate(t)
	f.fixture = newFixture(t, append(change, func(o *registry.Options) {
		ledger, err := registry.OpenLedger(o.Dir, keys)
		if err != nil {
			t.Fatal(err)
		}
		f.ledger, o.Gate = ledger, ledger.Gate()
	})...)
	f.store = &fakeHistory{
		fakeDirectory: f.fakeDirectory, ledger: f.ledger, records: map[renga.AppID][]renga.ReleaseRecord{},
		running: map[renga.AppID][]int{},
	}
	reg, err := registry.New(f.options, f.fakeDirectory, f.store)
	if err != nil {
		t.Fatal(err)
	}
	f.reg = reg
	f.collector, err = registry.NewCollector(registry.CollectOptions{
		Grace:   grace,
		Running: func(context.Context) (map[renga.AppID][]int, error) { return f.store.running, nil },
		Kept: func(_ context.Context, kept map[renga.AppID]map[string]bool) error {
			f.store.kept = kept
			return nil
		},
		Now: func() time.Time { return time.Now().Add(f.ahead) },
	}, reg, f.ledger, f.store)
	if err != nil {
		t.Fatal(err)
	}
	f.keep("hello", renga.Retention{Releases: 2})
	return f
}

func (f *collectFixture) keep(app string, r renga.Retention) {
	f.fakeDirectory.mu.Lock()
	defer f.fakeDirectory.mu.Unlock()
	a := f.apps[app]
	a.Retention = r
	f.apps[app] = a
}

func (f *collectFixture) pushAs(t testing.TB, account, ref string, img v1.Image) {
	t.Helper()
	if err := remote.Write(f.ref(t, ref), img, as(account+"-token")...); err != nil {
		t.Fatal(err)
	}
}

func (f *collectFixture) collect(t testing.TB, dryRun bool) renga.Collection {
	t.Helper()
	got, err := f.collector.Collect(t.Context(), dryRun)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// pulls reads an image to its last byte, by digest.
func (f *collectFixture) pulls(t testing.TB, repository, dgst string) error {
	t.Helper()
	img, err := remote.Image(f.ref(t, repository+"@"+dgst), as("pull-secret")...)
	if err != nil {
		return err
	}
	return readAll(img)
}

func readAll(img v1.Image) error {
	if _, err := img.RawConfigFile(); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		body, err := l.Compressed()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, body)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (f *collectFixture) wantGone(t testing.TB, repository, dgst string) {
	t.Helper()
	res, body := f.do(t, "pull-secret", "GET", "/v2/"+repository+"/manifests/"+dgst, nil, nil)
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("%s@%s: %d %s, want 404", repository, dgst, res.StatusCode, body)
	}
}

func (f *collectFixture) wantThere(t testing.TB, repository, dgst string) {
	t.Helper()
	if err := f.pulls(t, repository, dgst); err != nil {
		t.Errorf("%s@%s: %v", repository, dgst, err)
	}
}

// signed is an artifact that refers to an image.
func signed(t testing.TB, f *collectFixture, repository string, img v1.Image) v1.Image {
	t.Helper()
	desc, err := remote.Head(f.ref(t, repository+"@"+digestOf(t, img)), as("alice-token")...)
	if err != nil {
		t.Fatal(err)
	}
	signature, ok := mutate.Subject(image(t), *desc).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	// The client would tag it, too, unless the registry lists what refers to an image.
	config, err := partial.ConfigLayer(signature)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := signature.Layers()
	for _, l := range append(layers, config) {
		err = errors.Join(err, remote.WriteLayer(f.ref(t, repository).Context(), l, as("alice-token")...))
	}
	raw, rawErr := signature.RawManifest()
	if err := errors.Join(err, rawErr); err != nil {
		t.Fatal(err)
	}
	res, body := f.do(t, "alice-token", "PUT", "/v2/"+repository+"/manifests/"+digestOf(t, signature),
		http.Header{"Content-Type": {string(types.DockerManifestSchema2)}}, raw)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	return signature
}

// writeUntagged pushes an image by its digest alone.
func (f *collectFixture) writeUntagged(t testing.TB, repository string, img v1.Image) {
	t.Helper()
	if err := remote.Write(f.ref(t, repository+"@"+digestOf(t, img)), img, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
}

func TestCollectionRemovesTheImagesOfOldReleasesAndNothingElse(t *testing.T) {
	f := newCollectFixture(t, 24*time.Hour, 48*time.Hour)
	var images []v1.Image
	for range 6 {
		images = append(images, image(t))
		f.push(t, "hello/web:latest", images[len(images)-1])
	}
	f.push(t, "hello/web:stable", images[2])
	signature, lost := signed(t, f, "hello/web", images[5]), signed(t, f, "hello/web", images[0])
	f.store.running["app-hello"] = []int{4}
	f.pushAs(t, "bob", "other/web:latest", images[1])

	dry := f.collect(t, true)
	if len(dry.Apps) == 0 || dry.Apps[0].App != "hello" || !slices.Equal(dry.Apps[0].Expired, []int{1, 2}) || dry.Bytes == 0 {
		t.Fatalf("a dry run: %+v", dry)
	}
	f.wantThere(t, "hello/releases", digestOf(t, images[0]))

	got := f.collect(t, false)
	if got.Bytes != dry.Bytes || got.Removed != dry.Removed || !slices.Equal(got.Apps[0].Expired, []int{1, 2}) {
		t.Errorf("removed %+v, the dry run said %+v", got, dry)
	}
	f.wantGone(t, "hello/releases", digestOf(t, images[0]))
	f.wantGone(t, "hello/web", digestOf(t, images[0]))
	f.wantGone(t, "hello/web", digestOf(t, lost))
	f.wantThere(t, "hello/web", digestOf(t, signature))
	f.wantGone(t, "hello/releases", digestOf(t, images[1]))
	f.wantThere(t, "other/web", digestOf(t, images[1])) // which has it as well
	f.wantThere(t, "hello/web", digestOf(t, images[2])) // by its tag
	for _, img := range images[2:] {
		f.wantThere(t, "hello/releases", digestOf(t, img))
	}
	good, err := f.ledger.Verify(t.Context(), "hello")
	if err != nil || good != 6 {
		t.Errorf("%d releases are good: %v", good, err)
	}
	if again := f.collect(t, false); again.Removed != 0 {
		t.Errorf("a second collection removed %+v", again)
	}
	first := f.store.versions("app-hello")[0]
	err = f.ledger.Present(t.Context(), renga.App{ID: "app-hello", Name: "hello"}, first.Images)
	if renga.KindOf(err) != renga.NotFound || f.store.kept["app-hello"][first.Images[renga.Web].Digest] {
		t.Errorf("the first release: %v, kept %v", err, f.store.kept)
	}
	f.push(t, "hello/web:latest", images[0]) // it comes back as any image comes
	f.wantThere(t, "hello/releases", digestOf(t, images[0]))
}

func TestCollectionLeavesWhatIsYoungOrUnknown(t *testing.T) {
	f := newCollectFixture(t, 24*time.Hour, 0)
	img := image(t)
	f.writeUntagged(t, "hello/web", img)
	if got := f.collect(t, false); got.Removed != 0 {
		t.Errorf("young content went: %+v", got)
	}
	f.ahead = 48 * time.Hour
	for range 4 {
		f.push(t, "hello/web:latest", image(t))
	}
	f.store.fail = renga.Errorf(renga.Unavailable, "Redis is away.")
	if _, err := f.collector.Collect(t.Context(), false); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("without the store: %v", err)
	}
	f.store.fail = nil
	hello := f.apps["hello"]
	delete(f.apps, "hello") // as after a loss of Redis
	if got := f.collect(t, false); got.Removed != 0 {
		t.Errorf("content of an app that the store lost went: %+v", got)
	}
	f.apps["hello"] = hello
	if got := f.collect(t, false); got.Removed == 0 {
		t.Error("nothing went")
	}
	f.wantGone(t, "hello/web", digestOf(t, img))
}

func TestContentOfADeletedAppIsCollected(t *testing.T) {
	f := newCollectFixture(t, 24*time.Hour, 48*time.Hour)
	f.push(t, "hello/web:latest", image(t))
	f.pushAs(t, "bob", "other/web:latest", image(t))
	if err := f.reg.RemoveApp(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	delete(f.apps, "hello")
	got := f.collect(t, false)
	if len(got.Apps) != 1 || got.Apps[0].App != "" || got.Apps[0].Bytes != got.Bytes || got.Removed < 4 {
		t.Errorf("got %+v", got)
	}
	f.wantThere(t, "other/web", f.tagOf(t, "other/web:latest"))
}

// countedContext ends after so many looks at it.
type countedContext struct {
	context.Context //nolint:containedctx // it is one itself
	left            int
}

func (c *countedContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCollectionCutShortLeavesWholeImagesOnly ends collections after every step, as
// being killed does: what can still be had is whole.
func TestCollectionCutShortLeavesWholeImagesOnly(t *testing.T) {
	f := newCollectFixture(t, 24*time.Hour, 48*time.Hour)
	var all []string
	for range 4 {
		img := image(t)
		f.push(t, "hello/web:latest", img)
		all = append(all, digestOf(t, img))
	}
	for steps := 0; ; steps++ {
		got, err := f.collector.Collect(&countedContext{t.Context(), steps}, false)
		if err != nil && len(got.Apps) == 0 {
			continue // nothing was removed yet
		}
		for i, dgst := range all {
			for _, repository := range []string{"hello/web", "hello/releases"} {
				pulled := f.pulls(t, repository, dgst)
				if pulled != nil && (i >= 2 || !strings.Contains(pulled.Error(), "MANIFEST_UNKNOWN")) {
					t.Fatalf("after %d steps, image %d of %s: %v", steps, i, repository, pulled)
				}
			}
		}
		if good, verr := f.ledger.Verify(t.Context(), "hello"); verr != nil || good != 4 {
			t.Fatalf("after %d steps %d releases are good: %v", steps, good, verr)
		}
		if err == nil {
			break
		}
	}
	for _, dgst := range all[:2] {
		f.wantGone(t, "hello/releases", dgst)
	}
}

// TestWhatAKilledCollectionPutAsideIsRemoved by the next one in earnest.
func TestWhatAKilledCollectionPutAsideIsRemoved(t *testing.T) {
	f := newCollectFixture(t, 0, time.Hour)
	left := filepath.Join(f.options.Dir, "removed", strings.Repeat("a", 64), "data")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.push(t, "hello/web:latest", image(t))
	f.push(t, "hello/web:old", image(t))
	if err := remote.Delete(f.ref(t, "hello/web:old"), as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	f.collect(t, true)
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a dry run removes it: %v", err)
	}
	if got := f.collect(t, false); got.Removed == 0 {
		t.Errorf("nothing is removed: %+v", got)
	}
	aside, err := os.ReadDir(filepath.Join(f.options.Dir, "removed"))
	if err != nil || len(aside) > 0 {
		t.Errorf("%d things are still put aside: %v", len(aside), err)
	}
}
