package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestLedgerKeepsEveryField(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 3), "worker": w.push("shop/worker", 1)}
	digests := w.chain(2, images)
	want := w.release(2, digests[1], images)
	want.CreatedAt, want.Digest = want.CreatedAt.UTC(), digests[2]
	if got := w.get(digests[2]); !reflect.DeepEqual(got, want) {
		t.Errorf("read back %#v\nwant %#v", got, want)
	}
	chain, err := w.Chain(context.Background(), "shop")
	if err != nil || len(chain) != 2 || !reflect.DeepEqual(chain[1], want) {
		t.Errorf("the chain differs: %v, %v", chain, err)
	}
}

func TestLedgerKeepsAReleaseWithoutAnything(t *testing.T) {
	w := newLedgerFixture(t)
	bare := renga.Release{App: ledgerShop.ID, AppName: "shop", Version: 1, CreatedAt: time.Unix(1, 5)}
	got := w.get(w.put(bare))
	if !got.Inputs.Equal(renga.Inputs{}) || got.Inputs.Vars == nil || !got.CreatedAt.Equal(bare.CreatedAt) {
		t.Errorf("read back %+v", got)
	}
	if good, err := w.Verify(context.Background(), "shop"); good != 1 || err != nil {
		t.Errorf("verified %d, %v", good, err)
	}
}

func TestReleaseIsAnImageIndexThatClientsPull(t *testing.T) {
	w := newLedgerFixture(t)
	web, clock := w.push("shop/web", 2), w.pushOCI("shop/clock", 2)
	images := map[renga.ProcessType]renga.Image{"web": web, "worker": web, "clock": clock}
	digests := w.chain(2, images)

	index, err := remote.Index(w.ref("shop/releases@" + digests[2]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var typed []string
	for _, d := range m.Manifests {
		typed = append(typed, d.Annotations["renga.process-type"]+" "+d.Digest.String()+" "+string(d.MediaType))
	}
	want := []string{
		"clock " + clock.Digest + " " + string(types.OCIManifestSchema1),
		"web " + web.Digest + " " + string(types.DockerManifestSchema2),
		"worker " + web.Digest + " " + string(types.DockerManifestSchema2),
	}
	if len(typed) != 4 || !slices.Equal(typed[:3], want) {
		t.Errorf("the index names %q, want %q and the artifact", typed, want)
	}
	if p := m.Manifests[1].Platform; p == nil || p.String() != "linux/amd64" {
		t.Errorf("platform of web: %v", p)
	}
	last := m.Manifests[len(m.Manifests)-1]
	if last.ArtifactType != "application/vnd.renga.release.v1" || last.Platform.String() != "unknown/unknown" {
		t.Errorf("the artifact is %+v", last)
	}
	if m.Annotations["renga.version"] != "2" || m.Annotations["renga.previous"] != digests[1] ||
		m.Annotations["renga.app.id"] != string(ledgerShop.ID) {
		t.Errorf("annotations %v", m.Annotations)
	}
	for _, img := range []renga.Image{web, clock} {
		pulled, err := remote.Image(w.ref("shop/releases@" + img.Digest))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(pulled); err != nil {
			t.Error(err)
		}
	}
}

func TestReleaseTagsAreServed(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 1)})
	for n, tag := range []string{1: "v1", 2: "v2"} {
		if tag == "" {
			continue
		}
		got, err := remote.Head(w.ref("shop/releases:" + tag))
		if err != nil || got.Digest.String() != digests[n] {
			t.Errorf("%s is %v, %v; want %s", tag, got, err, digests[n])
		}
	}
}

func TestImagesAreLinkedNotCopied(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 4)}
	first := w.chain(2, images)
	before := w.blobFiles()
	w.put(w.release(3, first[2], images))
	if made := w.blobFiles() - before; made != 3 {
		t.Errorf("a release with the same image made %d blobs; want its document, artifact and index", made)
	}
}

// A release's image outlives the repository that it was pushed to.
func TestReleasedImageDoesNotNeedItsOwnRepository(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)}
	digests := w.chain(2, images)
	w.remove(filepath.Join(w.dir, "docker/registry/v2/repositories/shop/web"))
	if err := w.Present(context.Background(), ledgerShop, images); err != nil {
		t.Error(err)
	}
	w.put(w.release(3, digests[2], images))
	w.versions(3)
}

func TestNoSecretLiesInTheRegistry(t *testing.T) {
	w := newLedgerFixture(t)
	w.chain(3, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 1)})
	all := w.files(func(string) bool { return true })
	if len(all) < 20 {
		t.Fatalf("only %d files", len(all))
	}
	for _, path := range all {
		content := w.read(path)
		if bytes.Contains(content, []byte(ledgerSecret)) || bytes.Contains(content, []byte("DATABASE_URL")) {
			t.Errorf("%s holds a secret", path)
		}
	}
}

func TestPutRefusesWhatIsNotTheNextVersion(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	for name, spoil := range map[string]func(*renga.Release){
		"no app":                func(r *renga.Release) { r.App = "" },
		"version 0":             func(r *renga.Release) { r.Version = 0 },
		"no previous":           func(r *renga.Release) { r.Previous = "" },
		"previous is two back":  func(r *renga.Release) { r.Previous = digests[1] },
		"previous is not there": func(r *renga.Release) { r.Previous = "sha256:" + strings.Repeat("0", 64) },
		"previous is no digest": func(r *renga.Release) { r.Previous = "../../x" },
		"another app follows":   func(r *renga.Release) { r.App, r.Previous = "other", digests[1] },
		"a path as name":        func(r *renga.Release) { r.AppName = "../shop" },
		"not UTF-8":             func(r *renga.Release) { r.Inputs.Vars["A"] = "\xff" },
		"too large":             func(r *renga.Release) { r.Inputs.Vars["A"] = strings.Repeat("x", 3<<20) },
		"image not there": func(r *renga.Release) {
			r.Inputs.Images = map[renga.ProcessType]renga.Image{"web": {
				Repository: "shop/web", Digest: "sha256:" + strings.Repeat("0", 64),
			}}
		},
	} {
		r := w.release(3, digests[2], nil)
		spoil(&r)
		if _, err := w.Put(context.Background(), r); err == nil {
			t.Errorf("%s: written", name)
		} else if strings.Contains(err.Error(), ledgerSecret) {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
	w.versions(2)
}

func TestPutReplacesAnOrphanAndMendsTheTagBefore(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	orphan := w.release(3, digests[2], nil)
	orphan.Description = "never committed"
	w.put(orphan)
	third := w.put(w.release(3, digests[2], nil))
	w.versions(3)

	// The tag of v3 names the orphan again; the next release follows the true v3.
	w.put(orphan)
	w.put(w.release(4, third, nil))
	w.versions(4)
	if got := string(w.read(w.tagFile("v3"))); got != third {
		t.Errorf("v3 is %s, want %s", got, third)
	}
}

func TestGetTellsApart(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(1, nil)
	ctx := context.Background()
	_, err := w.Get(ctx, ledgerShop, "sha256:"+strings.Repeat("0", 64))
	if renga.KindOf(err) != renga.NotFound {
		t.Errorf("a digest of nothing: %v", err)
	}
	if _, err = w.Get(ctx, ledgerShop, "v1"); err == nil {
		t.Error("a tag was taken for a digest")
	}
	_, err = w.Get(ctx, renga.App{ID: "other", Name: "other"}, digests[1])
	if err == nil || !strings.Contains(err.Error(), "v1: it belongs to the app with id "+string(ledgerShop.ID)) {
		t.Errorf("another app's release: %v", err)
	}
	img := w.push("shop/web", 1)
	if _, err = w.Get(ctx, ledgerShop, img.Digest); err == nil || !strings.Contains(err.Error(), "no release") {
		t.Errorf("an image's digest: %v", err)
	}
}

func TestAppsAndRemove(t *testing.T) {
	w := newLedgerFixture(t)
	ctx := context.Background()
	if apps, err := w.Apps(ctx); len(apps) != 0 || err != nil {
		t.Errorf("apps of an empty registry: %q, %v", apps, err)
	}
	for _, app := range []string{"shop", "blog"} {
		r := w.release(1, "", nil)
		r.AppName = app
		w.put(r)
	}
	w.push("pushed-only/web", 1)
	if apps, err := w.Apps(ctx); !slices.Equal(apps, []string{"blog", "shop"}) || err != nil {
		t.Errorf("apps: %q, %v", apps, err)
	}
	for range 2 {
		if err := w.Remove(ctx, "blog"); err != nil {
			t.Error(err)
		}
	}
	if apps, err := w.Apps(ctx); !slices.Equal(apps, []string{"shop"}) || err != nil {
		t.Errorf("apps: %q, %v", apps, err)
	}
	for _, name := range []string{"", ".", "..", "../..", "shop/../shop", "/", "v2"} {
		if err := w.Remove(ctx, name); err == nil {
			t.Errorf("removed %q", name)
		}
	}
	w.versions(1)
}

func TestReleasesOpenAfterTheKeyWasRotated(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	w.keys.rotate(t)
	third := w.put(w.release(3, digests[2], nil))
	w.versions(3)
	*w.keys = (*w.keys)[:1] // the new key is lost
	if _, err := w.Get(context.Background(), ledgerShop, third); err == nil ||
		!strings.Contains(err.Error(), "v3: open the sealed document") {
		t.Errorf("v3 opened without the new key: %v", err)
	}
	w.get(digests[2])
}

func TestGetDuringPutSeesWholeReleases(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(1, nil)
	ctx, done := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := w.Chain(context.Background(), "shop"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var others sync.WaitGroup
	for _, app := range []string{"one", "two"} {
		others.Go(func() {
			r := w.release(1, "", nil)
			r.AppName = app
			if _, err := w.Put(context.Background(), r); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 2; n < 12; n++ {
		digests = append(digests, w.put(w.release(n, digests[n-1], nil)))
	}
	done()
	others.Wait()
	readers.Wait()
	w.versions(11)
}

// The index is what any OCI client expects of one.
func TestIndexIsServedAsWritten(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(1, nil)
	req, err := http.NewRequest(http.MethodGet, "http://"+w.host+"/v2/shop/releases/manifests/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", ociv1.MediaTypeImageIndex)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // read to its end
	if err != nil || answer.Header.Get("Docker-Content-Digest") != digests[1] ||
		answer.Header.Get("Content-Type") != ociv1.MediaTypeImageIndex {
		t.Errorf("%v %v %s", err, answer.Header, body)
	}
	var index ociv1.Index
	if err := json.Unmarshal(body, &index); err != nil || len(index.Manifests) != 1 {
		t.Errorf("%v: %s", err, body)
	}
	if stored, err := os.ReadFile(w.blobFile(digests[1])); err != nil || !bytes.Equal(stored, body) {
		t.Errorf("served other bytes than stored: %v", err)
	}
}

func TestLinkedImagesOutliveTheAppTheyCameFrom(t *testing.T) {
	w := newLedgerFixture(t)
	web := w.push("staging/web", 3)
	staging := renga.Release{
		App: "staging-id", AppName: "staging", Version: 1, CreatedAt: time.Unix(1, 0),
		Inputs: renga.Inputs{Images: map[renga.ProcessType]renga.Image{"web": web, "worker": web}},
	}
	w.put(staging)
	blobs := w.blobFiles()
	ctx := context.Background()
	if err := w.Link(ctx, "staging", "shop", staging.Inputs.Images); err != nil {
		t.Fatal(err)
	}
	if now := w.blobFiles(); now != blobs {
		t.Errorf("%d blobs became %d: something was copied", blobs, now)
	}
	w.remove(filepath.Join(w.dir, "docker/registry/v2/repositories/staging"))
	web.Repository = "shop/web"
	images := map[renga.ProcessType]renga.Image{"web": web, "worker": web}
	if err := w.Present(ctx, ledgerShop, images); err != nil {
		t.Error(err)
	}
	w.chain(2, images)
	if good, err := w.Verify(ctx, "shop"); good != 2 || err != nil {
		t.Errorf("%d good, %v", good, err)
	}
	if _, err := remote.Image(w.ref("shop/releases@" + web.Digest)); err != nil {
		t.Error(err)
	}
}
