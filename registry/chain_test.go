package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"renga"
	"renga/registry"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ledgerParts are the blobs of one version, by what they are.
type ledgerParts struct {
	index, artifact, sealed string
	manifest, config, layer string // of its first image
}

func (w *ledgerFixture) parts(release string) ledgerParts {
	w.t.Helper()
	var index ociv1.Index
	w.unmarshal(release, &index)
	p := ledgerParts{index: release, artifact: index.Manifests[len(index.Manifests)-1].Digest.String()}
	var artifact ociv1.Manifest
	w.unmarshal(p.artifact, &artifact)
	p.sealed = artifact.Layers[0].Digest.String()
	if len(index.Manifests) > 1 {
		p.manifest = index.Manifests[0].Digest.String()
		var image ociv1.Manifest
		w.unmarshal(p.manifest, &image)
		p.config, p.layer = image.Config.Digest.String(), image.Layers[0].Digest.String()
	}
	return p
}

func (w *ledgerFixture) unmarshal(blob string, v any) {
	w.t.Helper()
	if err := json.Unmarshal(w.read(w.blobFile(blob)), v); err != nil {
		w.t.Fatal(err)
	}
}

// forge puts a blob that an intruder made; his digests are all right.
func (w *ledgerFixture) forge(v any) ociv1.Descriptor {
	w.t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	d := digest.FromBytes(content)
	w.write(w.blobFile(d.String()), content)
	return ociv1.Descriptor{Digest: d, Size: int64(len(content))}
}

// graft makes version n name another sealed document, with digests, sizes, links
// and tag as they should be, and gives the forged index's digest.
func (w *ledgerFixture) graft(tag, release, sealed string) string {
	w.t.Helper()
	var index ociv1.Index
	w.unmarshal(release, &index)
	last := len(index.Manifests) - 1
	var artifact ociv1.Manifest
	w.unmarshal(index.Manifests[last].Digest.String(), &artifact)
	artifact.Layers[0].Digest = digest.Digest(sealed)
	artifact.Layers[0].Size = int64(len(w.read(w.blobFile(sealed))))
	made := w.forge(artifact)
	index.Manifests[last].Digest, index.Manifests[last].Size = made.Digest, made.Size
	forged := w.forge(index).Digest.String()
	w.write(w.tagFile(tag), []byte(forged))
	return forged
}

func (w *ledgerFixture) flip(blob string) {
	w.t.Helper()
	content := w.read(w.blobFile(blob))
	content[len(content)/2] ^= 1
	w.write(w.blobFile(blob), content)
}

// broken wants Verify to find version n bad, and to say why.
func (w *ledgerFixture) broken(n int, why string) {
	w.t.Helper()
	good, err := w.Verify(context.Background(), "shop")
	var flaw interface{ BadVersion() int }
	if good != n-1 || !errors.As(err, &flaw) || flaw.BadVersion() != n ||
		!strings.Contains(err.Error(), renga.VersionName(n)+": "+why) {
		w.t.Errorf("verified %d good, %v; want %s: %s", good, err, renga.VersionName(n), why)
	}
}

func TestVerifyFindsAGoodChainGood(t *testing.T) {
	w := newLedgerFixture(t)
	w.chain(6, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 3), "clock": w.pushOCI("shop/clock", 2)})
	if good, err := w.Verify(context.Background(), "shop"); good != 6 || err != nil {
		t.Errorf("verified %d, %v", good, err)
	}
	if _, err := w.Verify(context.Background(), "nothing"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("an app without releases: %v", err)
	}
	if chain, err := w.Chain(context.Background(), "nothing"); len(chain) != 0 || err != nil {
		t.Errorf("the chain of an app without releases: %v, %v", chain, err)
	}
}

func TestAFlippedByteIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		pick func(ledgerParts) string
		read bool // Get finds it, not only Verify
	}{
		"index":           {func(p ledgerParts) string { return p.index }, true},
		"artifact":        {func(p ledgerParts) string { return p.artifact }, true},
		"sealed document": {func(p ledgerParts) string { return p.sealed }, true},
		"image manifest":  {func(p ledgerParts) string { return p.manifest }, false},
		"image config":    {func(p ledgerParts) string { return p.config }, false},
		"image layer":     {func(p ledgerParts) string { return p.layer }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLedgerFixture(t)
			digests := w.chain(2, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)})
			digests = append(digests, w.put(w.release(3, digests[2],
				map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)})))
			blob := c.pick(w.parts(digests[3]))
			w.flip(blob)
			w.broken(3, "blob "+blob+" was altered")
			_, err := w.Get(context.Background(), ledgerShop, digests[3])
			if found := err != nil; found != c.read {
				t.Errorf("Get says %v", err)
			}
			w.get(digests[2])
		})
	}
}

func TestAShortOrMissingBlobIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)})
	p := w.parts(digests[2])
	for _, blob := range []string{p.artifact, p.sealed, p.manifest, p.config, p.layer} {
		path := w.blobFile(blob)
		whole := w.read(path)
		w.write(path, whole[:10])
		w.broken(2, "blob "+blob+" is 10 bytes long, want ")
		w.remove(path)
		w.broken(2, "blob "+blob+" is missing")
		w.write(path, whole)
	}
	w.remove(w.blobFile(p.index))
	w.broken(2, "its index is missing")
}

func TestATagThatNamesAnotherVersionIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(4, nil)
	w.write(w.tagFile("v3"), []byte(digests[2]))
	w.broken(3, "its tag names v2")
	w.write(w.tagFile("v3"), []byte("nonsense"))
	w.broken(3, "its tag names no digest")
	w.write(w.tagFile("v3"), nil)
	w.broken(3, "its tag names no digest")
}

func TestADocumentInAnotherPlaceIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(4, nil)
	forged := w.graft("v4", digests[4], w.parts(digests[3]).sealed)
	w.broken(4, "open the sealed document")
	if _, err := w.Get(context.Background(), ledgerShop, forged); err == nil ||
		!strings.Contains(err.Error(), "v4: open the sealed document") {
		t.Errorf("Get says %v", err)
	}
}

func TestAnotherAppsReleaseIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	other := w.release(1, "", nil)
	other.App, other.AppName = "other-id", "blog"
	first := w.put(other)
	other.Version, other.Previous = 2, first
	second := w.put(other)

	forged := w.graft("v2", digests[2], w.parts(second).sealed)
	w.broken(2, "open the sealed document")
	if _, err := w.Get(context.Background(), ledgerShop, forged); err == nil {
		t.Error("Get opened another app's document")
	}
	w.write(w.tagFile("v2"), []byte(second))
	w.broken(2, "it belongs to the app with id other-id")
}

// Someone with the sealer's key, or a fault of ours, can seal a document that
// its index contradicts.
func TestAnIndexThatSaysOtherThanItsDocumentIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 1)})
	other := w.push("shop/web", 1)
	for name, c := range map[string]struct {
		spoil func(*ociv1.Index)
		want  string
	}{
		"image":    {func(x *ociv1.Index) { x.Manifests[0].Digest = digest.Digest(other.Digest) }, "the index names images"},
		"no image": {func(x *ociv1.Index) { x.Manifests = x.Manifests[1:] }, "the index names images"},
		"name":     {func(x *ociv1.Index) { x.Annotations["renga.app.name"] = "blog" }, "the index names app name"},
		"time": {
			func(x *ociv1.Index) { x.Annotations["org.opencontainers.image.created"] = "2020-01-01T00:00:00Z" },
			"the index names time",
		},
	} {
		var index ociv1.Index
		w.unmarshal(digests[2], &index)
		c.spoil(&index)
		_, err := w.Get(context.Background(), ledgerShop, w.forge(index).Digest.String())
		if err == nil || !strings.Contains(err.Error(), "v2: "+c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALinkThatIsGoneIsFoundOut(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 1)})
	p := w.parts(digests[2])
	for blob, where := range map[string]string{p.layer: "_layers", p.index: "_manifests/revisions"} {
		hex := strings.TrimPrefix(blob, "sha256:")
		link := w.dir + "/docker/registry/v2/repositories/shop/releases/" + where + "/sha256/" + hex + "/link"
		w.remove(link)
		good, err := w.Verify(context.Background(), "shop")
		if good != 1 || err == nil || !strings.Contains(err.Error(), blob+" is not linked") {
			t.Errorf("%s: %d, %v", where, good, err)
		}
		w.write(link, []byte(blob))
	}
	w.versions(2)
}

func TestChainEndsBeforeAGap(t *testing.T) {
	w := newLedgerFixture(t)
	w.chain(5, nil)
	w.remove(w.tagFile("v3"))
	chain, err := w.Chain(context.Background(), "shop")
	var flaw *registry.Flaw
	if len(chain) != 2 || !errors.As(err, &flaw) || flaw.Version != 3 {
		t.Errorf("%d versions, %v", len(chain), err)
	}
	w.broken(3, "it is missing")
}

// The store forgot v3 and v4, and the app went on from v2: v4 is a leftover.
func TestChainEndsBeforeALeftover(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(4, nil)
	again := w.put(w.release(3, digests[2], nil))
	chain, err := w.Chain(context.Background(), "shop")
	var flaw *registry.Flaw
	if len(chain) != 3 || chain[2].Digest != again || !errors.As(err, &flaw) || flaw.Version != 4 {
		t.Errorf("%d versions, %v", len(chain), err)
	}
	w.put(w.release(4, again, nil))
	w.versions(4)
}

// A tag's directory without a link is what a crash leaves.
func TestATagThatWasBegunIsNoVersion(t *testing.T) {
	w := newLedgerFixture(t)
	digests := w.chain(2, nil)
	if err := os.MkdirAll(strings.TrimSuffix(w.tagFile("v3"), "/link"), 0o777); err != nil {
		t.Fatal(err)
	}
	w.versions(2)
	if good, err := w.Verify(context.Background(), "shop"); good != 2 || err != nil {
		t.Errorf("verified %d, %v", good, err)
	}
	w.put(w.release(3, digests[2], nil))
	w.versions(3)
}

func TestPresentNamesWhatIsMissing(t *testing.T) {
	w := newLedgerFixture(t)
	ctx := context.Background()
	pushed := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 1), "clock": w.pushOCI("shop/clock", 2)}
	if err := w.Present(ctx, ledgerShop, pushed); err != nil {
		t.Errorf("pushed, not released: %v", err)
	}
	digests := w.chain(2, pushed)
	if err := w.Present(ctx, ledgerShop, pushed); err != nil {
		t.Errorf("released: %v", err)
	}
	if err := w.Present(ctx, ledgerShop, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	p := w.parts(digests[2]) // of clock, the first
	for _, blob := range []string{p.manifest, p.config, p.layer} {
		path := w.blobFile(blob)
		whole := w.read(path)
		w.remove(path)
		err := w.Present(ctx, ledgerShop, pushed)
		if renga.KindOf(err) != renga.NotFound || !strings.Contains(err.Error(), "process type clock") ||
			!strings.Contains(err.Error(), blob+" is missing") {
			t.Errorf("removed %s: %v", blob, err)
		}
		w.write(path, append([]byte("x"), whole...))
		err = w.Present(ctx, ledgerShop, pushed)
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "process type clock is damaged") {
			t.Errorf("grew %s: %v", blob, err)
		}
		w.write(path, whole)
	}
	index := renga.Image{Repository: "shop/web", Digest: digests[2]}
	err := w.Present(ctx, ledgerShop, map[renga.ProcessType]renga.Image{"web": index})
	if renga.KindOf(err) != renga.Invalid {
		t.Errorf("an index instead of an image: %v", err)
	}
}

// What Verify calls good, a client can pull.
func TestVerifiedImagesArePulled(t *testing.T) {
	w := newLedgerFixture(t)
	images := map[renga.ProcessType]renga.Image{"web": w.push("shop/web", 2)}
	w.chain(2, images)
	w.remove(w.dir + "/docker/registry/v2/repositories/shop/web")
	if good, err := w.Verify(context.Background(), "shop"); good != 2 || err != nil {
		t.Errorf("verified %d, %v", good, err)
	}
	image, err := remote.Image(w.ref("shop/releases@" + images["web"].Digest))
	if err != nil {
		t.Fatal(err)
	}
	if layers, err := image.Layers(); err != nil || len(layers) != 2 {
		t.Errorf("%d layers, %v", len(layers), err)
	}
}
