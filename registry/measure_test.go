package registry_test

import (
	"archive/tar"
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"renga"
	"renga/registry"
)

// layerOf is a gzip layer with a file of zeros.
func layerOf(t testing.TB, size int) v1.Layer {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: int64(size)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(packed.Bytes(), types.DockerLayer)
}

func withLayers(t testing.TB, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(image(t), layers...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func upToUnpacked(limit int64) func(*registry.Options) {
	return func(o *registry.Options) { o.MaxUnpacked = limit }
}

func TestASmallPushThatIsLargeIsRefused(t *testing.T) {
	zeros := layerOf(t, 8<<20)
	cut := static.NewLayer([]byte("\x1f\x8b\x08 and no more"), types.DockerLayer)
	xz := static.NewLayer([]byte("\xfd7zXZ\x00 and so on"), types.DockerLayer)
	for what, row := range map[string]struct {
		img  v1.Image
		says string
	}{
		"one layer":           {withLayers(t, layerOf(t, 17<<20)), "Unpacked, this image takes more than the 16.0 MiB"},
		"layers together":     {withLayers(t, zeros, layerOf(t, 9<<20)), "Unpacked, this image takes more"},
		"a layer named twice": {withLayers(t, zeros, zeros), "Unpacked, this image takes more"},
		"a layer that is cut": {withLayers(t, cut), "cannot be unpacked"},
		"a layer of xz":       {withLayers(t, xz), "is packed with xz"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t, upToUnpacked(16<<20))
			w.push(t, "hello/web:aside", row.img)
			err := remote.Write(w.ref(t, "hello/web:latest"), row.img, as("alice-token")...)
			wantRefusal(t, err, http.StatusForbidden, "DENIED", row.says)
			if w.tagOf(t, "hello/web:latest") != "" || len(w.released()) != 0 {
				t.Error("tagged or released")
			}
			// Nor by the way of an image that is stored already.
			images, err := w.reg.Find(t.Context(), "hello", renga.Web, "aside")
			if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), row.says) {
				t.Errorf("found %v, %v", images, err)
			}
		})
	}
}

func TestWhatALayerTakesIsFoundOutOnce(t *testing.T) {
	w := newFixture(t, upToUnpacked(4<<20))
	img := withLayers(t, layerOf(t, 8<<20))
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...), http.StatusForbidden, "Unpacked")
	w.options.MaxUnpacked = 16 << 20 // what was given up is counted again
	w.restart(t)
	w.push(t, "hello/web:latest", img)

	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(digestOf(t, layers[len(layers)-1]), "sha256:")
	kept := filepath.Join(w.options.Dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "unpacked")
	raw, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(raw), `{"bytes":8`) {
		t.Fatalf("kept %s, %v", raw, err)
	}
	// Whoever finds another answer there takes it, so nobody counted again.
	if err := os.WriteFile(kept, []byte(`{"bytes":99999999}`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart(t)
	wantRefusal(t, remote.Write(w.ref(t, "hello/worker:latest"), img, as("alice-token")...), http.StatusForbidden,
		"Unpacked")
	if err := os.WriteFile(kept, []byte(`{"byt`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.push(t, "hello/worker:latest", img)
}

func TestZstdIsForEnginesThatUnpackIt(t *testing.T) {
	old := renga.Errorf(renga.Invalid, "This image has zstd layers, which need a newer engine.")
	away := renga.Errorf(renga.Unavailable, "Docker does not answer.")
	for _, row := range []struct {
		engine error
		status int
		says   string
	}{
		{nil, http.StatusCreated, ""}, {old, http.StatusForbidden, "need a newer engine"},
		{away, http.StatusServiceUnavailable, "does not answer"},
	} {
		w := newFixture(t, upToUnpacked(1<<30), func(o *registry.Options) {
			o.UnpacksZstd = func(context.Context) error { return row.engine }
		})
		// By its content, whatever the manifest calls it.
		img := zstdLayer(t, ociImage(t))
		w.push(t, "hello/web:aside", img)
		res, body := w.put(t, "hello/web", img)
		if res.StatusCode != row.status || !strings.Contains(body, row.says) ||
			(len(w.released()) == 1) != (row.engine == nil) {
			t.Errorf("%v: %d %s, %d releases", row.engine, res.StatusCode, body, len(w.released()))
		}
		w.push(t, "hello/web:gzip", image(t)) // nobody asks about it
	}
}
