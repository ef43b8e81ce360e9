package registry_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"

	"renga"
	"renga/registry"
	"renga/registry/cosigntest"
)

// blob uploads content to a repository of hello's.
func (w *fixture) blob(t *testing.T, repository string, content []byte) map[string]any {
	t.Helper()
	dgst := digest.FromBytes(content).String()
	res, _ := w.do(t, "alice-token", "POST", "/v2/"+repository+"/blobs/uploads/", nil, nil)
	at := res.Header.Get("Location")
	mark := "?"
	if strings.Contains(at, "?") {
		mark = "&"
	}
	if res, body := w.do(t, "alice-token", "PUT", at+mark+"digest="+dgst, nil, content); res.StatusCode != http.StatusCreated {
		t.Fatalf("upload: %d %s", res.StatusCode, body)
	}
	return map[string]any{"digest": dgst, "size": len(content)}
}

// putSignatures stores signatures as one manifest: by cosign's tag, or as a referrer.
func (w *fixture) putSignatures(t *testing.T, repository, dgst string, referrer bool, all ...cosigntest.Signature) {
	t.Helper()
	config := w.blob(t, repository, []byte("{}"))
	config["mediaType"] = "application/vnd.oci.image.config.v1+json"
	layers := []map[string]any{}
	for _, one := range all {
		layer := w.blob(t, repository, one.Payload)
		layer["mediaType"] = cosigntest.PayloadType
		layer["annotations"] = map[string]string{cosigntest.Annotation: one.Signed}
		layers = append(layers, layer)
	}
	const ociManifest = "application/vnd.oci.image.manifest.v1+json"
	doc := map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "config": config, "layers": layers}
	at := cosigntest.Tag(dgst)
	if referrer {
		config["mediaType"] = "application/vnd.dev.cosign.artifact.sig.v1+json"
		doc["subject"] = map[string]any{"mediaType": ociManifest, "digest": dgst, "size": 1}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if referrer {
		at = digest.FromBytes(raw).String()
	}
	res, body := w.do(t, "alice-token", "PUT", "/v2/"+repository+"/manifests/"+at, http.Header{"Content-Type": {ociManifest}}, raw)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("store signatures: %d %s", res.StatusCode, body)
	}
}

// asks has hello ask that of images.
func (w *fixture) asks(p renga.Provenance) renga.App {
	app := renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Registry: renga.RegistryRules{Provenance: p}}
	w.set(app)
	return app
}

func TestOnlySignedImagesAreReleased(t *testing.T) {
	mine, edwards, stranger := cosigntest.NewKey(), cosigntest.NewEd25519Key(), cosigntest.NewKey()
	const own = "registry.example/hello/web"
	zero := "sha256:" + strings.Repeat("0", 64)
	for what, row := range map[string]struct {
		sign func(t *testing.T, w *fixture, dgst string)
		says string // empty if it is released
	}{
		"nothing": {func(*testing.T, *fixture, string) {}, "no signature of"},
		"ecdsa": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, mine.Of(own, dgst))
		}, ""},
		"ed25519": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, edwards.Of(own, dgst))
		}, ""},
		"referrer": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, true, mine.Of(own, dgst))
		}, ""},
		"in another repository of the app": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/worker", dgst, false, mine.Of(own, dgst))
		}, ""},
		"of the source": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, mine.Of("ghcr.io/acme/shop", dgst))
		}, ""},
		"one of several": {func(t *testing.T, w *fixture, dgst string) {
			tampered := mine.Of(own, zero)
			tampered.Payload = cosigntest.Payload(own, dgst)
			w.putSignatures(t, "hello/web", dgst, false, stranger.Of(own, dgst), tampered, mine.Of(own, zero),
				cosigntest.Signature{Payload: []byte("{}"), Signed: "no base64"}, edwards.Of(own, dgst))
		}, ""},
		"unknown key": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, stranger.Of(own, dgst))
		}, "by one of the app's keys"},
		"another digest": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, mine.Of(own, zero))
		}, "of another image"},
		"another repository": {func(t *testing.T, w *fixture, dgst string) {
			w.putSignatures(t, "hello/web", dgst, false, mine.Of("registry.example/other/web", dgst))
		}, "signed for registry.example/other/web"},
		"tampered": {func(t *testing.T, w *fixture, dgst string) {
			one := mine.Of(own, zero)
			one.Payload = cosigntest.Payload(own, dgst)
			w.putSignatures(t, "hello/web", dgst, false, one)
		}, "by one of the app's keys"},
		"no image": {func(t *testing.T, w *fixture, dgst string) {
			text := []byte(`{"critical":{"type":"atomic container signature"}}`)
			w.putSignatures(t, "hello/web", dgst, false, cosigntest.Signature{Payload: text, Signed: mine.Sign(text)})
		}, "what is signed is no image"},
		"in an app of others": {func(t *testing.T, w *fixture, dgst string) {
			w.set(renga.App{ID: "app-other", Name: "other", Owner: "alice"})
			w.putSignatures(t, "other/web", dgst, false, mine.Of(own, dgst))
		}, "no signature of"},
		"huge payload": {func(t *testing.T, w *fixture, dgst string) {
			big := append(cosigntest.Payload(own, dgst), strings.Repeat(" ", 64<<10)...)
			w.putSignatures(t, "hello/web", dgst, false, cosigntest.Signature{Payload: big, Signed: mine.Sign(big)})
		}, "no signature of"},
		"huge manifest": {func(t *testing.T, w *fixture, dgst string) {
			long := cosigntest.Signature{Payload: cosigntest.Payload(own, dgst), Signed: strings.Repeat("A", 512<<10)}
			w.putSignatures(t, "hello/web", dgst, false, long)
		}, "no signature of"},
		"too many": {func(t *testing.T, w *fixture, dgst string) {
			bad := stranger.Of(own, dgst)
			all := make([]cosigntest.Signature, 250)
			for i := range all {
				all[i] = bad
			}
			w.putSignatures(t, "hello/web", dgst, false, all...)
		}, "more than 200 signatures"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t)
			old, img := image(t), image(t)
			w.push(t, "hello/web:latest", old)
			w.asks(renga.Provenance{Keys: []string{mine.Public, edwards.Public}, Repositories: []string{"ghcr.io/acme/shop"}})
			w.push(t, "hello/web:v1", img) // which is stored, so that it can be signed
			row.sign(t, w, digestOf(t, img))
			err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
			want, releases := img, 2
			if row.says != "" {
				wantRefusal(t, err, http.StatusForbidden, "DENIED", row.says)
				want, releases = old, 1
			} else if err != nil {
				t.Fatal(err)
			}
			if got := w.released(); len(got) != releases || w.reg.Stats().Waiting != 0 {
				t.Errorf("%d releases, want %d; %d intents", len(got), releases, w.reg.Stats().Waiting)
			}
			if got := w.tagOf(t, "hello/web:latest"); got != digestOf(t, want) {
				t.Errorf("latest is %s, want %s", got, digestOf(t, want))
			}
		})
	}
}

// TestASignedIndex is good for the image in it, and one of that image is, too.
func TestASignedIndex(t *testing.T) {
	mine := cosigntest.NewKey()
	for _, whole := range []bool{true, false} {
		w := newFixture(t)
		index := ociIndex(t)
		if err := remote.WriteIndex(w.ref(t, "hello/web:v1"), index, as("alice-token")...); err != nil {
			t.Fatal(err)
		}
		w.asks(renga.Provenance{Keys: []string{mine.Public}})
		err := remote.WriteIndex(w.ref(t, "hello/web:latest"), index, as("alice-token")...)
		wantRefusal(t, err, http.StatusForbidden, "DENIED", "no signature of")
		signed := digestOf(t, index)
		if !whole {
			manifest, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range manifest.Manifests {
				w.putSignatures(t, "hello/web", m.Digest.String(), false, mine.Of("registry.example/hello/web", m.Digest.String()))
			}
		} else {
			w.putSignatures(t, "hello/web", signed, false, mine.Of("registry.example/hello/web", signed))
		}
		if err := remote.WriteIndex(w.ref(t, "hello/web:latest"), index, as("alice-token")...); err != nil {
			t.Errorf("signed as a whole: %v: %v", whole, err)
		}
	}
}

func TestOnlyLabelledImagesAreReleased(t *testing.T) {
	w := newFixture(t)
	w.asks(renga.Provenance{Labels: map[string]string{"org.opencontainers.image.source": "https://git.example/shop"}})
	labelled := func(value string) v1.Image {
		return image(t, func(c *v1.ConfigFile) {
			c.Config.Labels = map[string]string{"org.opencontainers.image.source": value}
		})
	}
	for _, bad := range []v1.Image{image(t), labelled("https://git.example/other")} {
		err := remote.Write(w.ref(t, "hello/web:latest"), bad, as("alice-token")...)
		wantRefusal(t, err, http.StatusForbidden, "DENIED", "it lacks the label org.opencontainers.image.source=")
	}
	w.push(t, "hello/web:latest", labelled("https://git.example/shop"))
	if got := w.released(); len(got) != 1 {
		t.Errorf("%d releases", len(got))
	}
}

// TestAnAppThatReleasesByItselfStoresUnsignedImages: they are signed afterwards, and
// asked about when they are released.
func TestAnAppThatReleasesByItselfStoresUnsignedImages(t *testing.T) {
	w := newFixture(t)
	app := w.asks(renga.Provenance{Keys: []string{cosigntest.NewKey().Public}})
	app.Features = map[string]bool{renga.ReleaseOnPush: false}
	w.set(app)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	if got := w.tagOf(t, "hello/web:latest"); got != digestOf(t, img) || len(w.released()) != 0 {
		t.Errorf("latest is %s, %d releases", got, len(w.released()))
	}
}

// TestStoredImagesAreHeldToTheSameRules, and those of an app that they come from.
func TestStoredImagesAreHeldToTheSameRules(t *testing.T) {
	w, mine := newFixture(t), cosigntest.NewKey()
	img := image(t)
	w.push(t, "hello/web:v1", img)
	found, err := w.reg.Find(t.Context(), "hello", renga.Web, "v1")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := registry.OpenLedger(w.options.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	staging := renga.App{Name: "hello"}
	shop := renga.App{Name: "shop", Registry: renga.RegistryRules{Provenance: renga.Provenance{
		Keys: []string{mine.Public}, Repositories: []string{"registry.example/hello/web"},
	}}}
	if err := ledger.CheckProvenance(t.Context(), staging, renga.App{}, found); err != nil {
		t.Errorf("without rules: %v", err)
	}
	if err := ledger.CheckProvenance(t.Context(), shop, staging, found); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("unsigned: %v", err)
	}
	dgst := digestOf(t, img)
	w.putSignatures(t, "hello/web", dgst, false, mine.Of("registry.example/hello/web", dgst))
	if err := ledger.CheckProvenance(t.Context(), shop, staging, found); err != nil {
		t.Errorf("signed: %v", err)
	}
	if err := ledger.CheckProvenance(t.Context(), shop, renga.App{}, found); renga.KindOf(err) != renga.Forbidden {
		t.Errorf("signed in an app that it does not come from: %v", err)
	}
}
