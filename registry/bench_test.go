package registry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// shapes are the images to be moved: layers and bytes of each.
var shapes = []struct {
	name         string
	layers, size int
}{{"200MB", 1, 200 << 20}, {"50small", 50, 200 << 10}}

// hosts are the registry and, to compare with, distribution alone with its own
// filesystem driver.
func hosts(b *testing.B) []benchHost {
	b.Helper()
	w := newFixture(b) // first: it takes distribution's log away
	bare := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  {"rootdirectory": b.TempDir()},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	bare.HTTP.RelativeURLs = true
	srv := httptest.NewServer(handlers.NewApp(context.Background(), bare))
	b.Cleanup(srv.Close)
	return []benchHost{{"renga", w.host}, {"bare", strings.TrimPrefix(srv.URL, "http://")}}
}

type benchHost struct{ name, host string }

func benchImage(b *testing.B, layers, size int) v1.Image {
	b.Helper()
	img := image(b)
	for range layers {
		var err error
		if img, err = mutate.AppendLayers(img, noise(b, size)); err != nil {
			b.Fatal(err)
		}
	}
	return img
}

func latest(b *testing.B, host string) name.Reference {
	b.Helper()
	ref, err := name.ParseReference(host+"/hello/web:latest", name.Insecure)
	if err != nil {
		b.Fatal(err)
	}
	return ref
}

// BenchmarkPush pushes an image whose layers are new each time.
func BenchmarkPush(b *testing.B) {
	for _, s := range shapes {
		for _, h := range hosts(b) {
			b.Run(s.name+"/"+h.name, func(b *testing.B) {
				b.SetBytes(int64(s.layers * s.size))
				for b.Loop() {
					b.StopTimer()
					img := benchImage(b, s.layers, s.size)
					b.StartTimer()
					if err := remote.Write(latest(b, h.host), img, as("alice-token")...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkPull reads all layers of an image, one after the other.
func BenchmarkPull(b *testing.B) {
	for _, s := range shapes {
		img := benchImage(b, s.layers, s.size)
		m, err := img.Manifest()
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range hosts(b) {
			if err := remote.Write(latest(b, h.host), img, as("alice-token")...); err != nil {
				b.Fatal(err)
			}
			b.Run(s.name+"/"+h.name, func(b *testing.B) {
				b.SetBytes(int64(s.layers * s.size))
				for b.Loop() {
					for _, l := range m.Layers {
						fetch(b, "http://"+h.host+"/v2/hello/web/blobs/"+l.Digest.String())
					}
				}
			})
		}
	}
}

func fetch(b *testing.B, url string) {
	b.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth("_", "alice-token")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	// io.Discard by itself takes 8 KiB at a time, and the client would be what is measured.
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, make([]byte, 1<<20))
	if closeErr := res.Body.Close(); err != nil || closeErr != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.Status, err, closeErr)
	}
}
