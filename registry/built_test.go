package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
)

// built is an image that a build made, with its blobs by their digests.
type built struct {
	manifest *v1.Manifest
	blobs    map[string][]byte
}

func builtOf(t *testing.T, img v1.Image) built {
	t.Helper()
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	b := built{manifest.DeepCopy(), map[string][]byte{}}
	b.blobs[manifest.Config.Digest.String()], err = img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		body, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		b.blobs[digestOf(t, layer)] = content
	}
	return b
}

// pushBuilt pushes it into hello/web.
func (w *fixture) pushBuilt(t *testing.T, b built) error {
	t.Helper()
	return w.reg.PushBuilt(t.Context(), renga.BuiltImage{
		Push: "22222222-2222-4222-8222-222222222222", AppName: "hello", By: renga.Account{ID: "alice"}, Description: "Deploy abc",
		MediaType: string(b.manifest.MediaType), Manifest: raw(t, b.manifest),
		Open: func(digest string) (io.ReadCloser, error) {
			content, has := b.blobs[digest]
			if !has {
				return nil, fs.ErrNotExist
			}
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	})
}

func TestWhatWasBuiltIsAnOrdinaryPush(t *testing.T) {
	w := newFixture(t)
	before := image(t)
	w.push(t, "hello/web:before", before)
	b := builtOf(t, before)
	b.blobs = map[string][]byte{} // the repository has them
	next := builtOf(t, image(t))
	b.manifest.Config, b.blobs = next.manifest.Config, next.blobs
	b.manifest.Layers = append(b.manifest.Layers[:1], next.manifest.Layers[1])
	if err := w.pushBuilt(t, b); err != nil {
		t.Fatal(err)
	}
	p := w.released()
	if len(p) != 1 || p[0].ID != "22222222-2222-4222-8222-222222222222" || p[0].By != "alice" || p[0].Description != "Deploy abc" {
		t.Fatalf("released %+v", p)
	}
	if got := w.tagOf(t, "hello/web:latest"); got != p[0].Images["web"].Digest {
		t.Errorf("the tag names %s", got)
	}
}

func TestTamperedBuildIsRefused(t *testing.T) {
	w := newFixture(t)
	others := image(t)
	if err := remote.Write(w.ref(t, "other/web:latest"), others, as("bob-token")...); err != nil {
		t.Fatal(err)
	}
	w.runs(nil)
	w.mu.Lock()
	w.pushes = nil
	w.mu.Unlock()
	secret, err := others.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	first := func(b *built) *v1.Descriptor { return &b.manifest.Layers[0] }
	for name, c := range map[string]struct {
		spoil func(*built)
		says  string
	}{
		"a layer of another app": {func(b *built) { *first(b) = secret.Layers[0] }, "lacks " + secret.Layers[0].Digest.String()},
		"the config of another app": {
			func(b *built) { b.manifest.Config = secret.Config }, "lacks " + secret.Config.Digest.String(),
		},
		"a layer that nobody has": {func(b *built) { delete(b.blobs, first(b).Digest.String()) }, "lacks sha256:"},
		"another content": {
			func(b *built) {
				content := b.blobs[first(b).Digest.String()]
				b.blobs[first(b).Digest.String()] = append([]byte("x"), content[1:]...)
			},
			"is not what its digest says",
		},
		"a larger one":     {func(b *built) { first(b).Size-- }, "larger than its manifest says"},
		"a smaller one":    {func(b *built) { first(b).Size++ }, "smaller than its manifest says"},
		"a negative size":  {func(b *built) { first(b).Size = -5 }, "the size of its layer 1 is -5"},
		"an endless size":  {func(b *built) { first(b).Size = 1 << 62 }, "a size of 4611686018427387904 bytes"},
		"a digest of text": {func(b *built) { first(b).Digest.Hex = "../../etc/passwd" }, "digest"},
		"a layer elsewhere": {
			func(b *built) {
				first(b).URLs, first(b).MediaType = []string{"https://example.com/x"}, types.DockerForeignLayer
			}, "is kept elsewhere",
		},
		"a list of images": {func(b *built) { b.manifest.MediaType = types.OCIImageIndex }, "What was built is no image"},
		"some other type":  {func(b *built) { b.manifest.MediaType = "text/plain" }, "manifest"},
		"a huge manifest": {
			func(b *built) { b.manifest.Annotations = map[string]string{"a": strings.Repeat("x", 5<<20)} }, "larger than 4 MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := builtOf(t, image(t))
			b.blobs = maps.Clone(b.blobs)
			c.spoil(&b)
			err := w.pushBuilt(t, b)
			if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), c.says) {
				t.Errorf("it said %v (%s); want %q", err, renga.KindOf(err), c.says)
			}
			if got := w.tagOf(t, "hello/web:latest"); got != "" || len(w.released()) != 0 {
				t.Errorf("tagged %s, released %v", got, w.released())
			}
		})
	}
}

func TestReadErrorOfABuildMayPass(t *testing.T) {
	w := newFixture(t)
	b := builtOf(t, image(t))
	err := w.reg.PushBuilt(t.Context(), renga.BuiltImage{
		Push: "22222222-2222-4222-8222-222222222222", AppName: "hello", By: renga.Account{ID: "alice"},
		MediaType: string(b.manifest.MediaType), Manifest: raw(t, b.manifest),
		Open: func(string) (io.ReadCloser, error) { return nil, fmt.Errorf("the disk is gone") },
	})
	if renga.KindOf(err) != renga.Internal || w.tagOf(t, "hello/web:latest") != "" {
		t.Errorf("it said %v", err)
	}
}

func raw(t *testing.T, manifest *v1.Manifest) []byte {
	t.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
