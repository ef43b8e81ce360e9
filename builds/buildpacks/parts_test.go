package buildpacks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"renga/builds"
)

type descriptor struct {
	Digest string
	Size   int64
}

type manifest struct {
	Config descriptor
	Layers []descriptor
}

type config struct {
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
	Config struct {
		Labels          map[string]string
		Env, Entrypoint []string
	}
}

// parts reads the manifest and the config of an image.
func parts(t *testing.T, made builds.Image) (doc manifest, of config) {
	t.Helper()
	_, body := made.Manifest()
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blob(t, made, doc.Config.Digest), &of); err != nil {
		t.Fatal(err)
	}
	return doc, of
}

func blob(t *testing.T, made builds.Image, digest string) []byte {
	t.Helper()
	body, err := made.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	return content
}

// sboms are the lists of what is in an image, all in one. Layers that it does not bring
// are the image's before.
func sboms(t *testing.T, made, before builds.Image) string {
	t.Helper()
	doc, of := parts(t, made)
	var lifecycle struct{ SBOM struct{ SHA string } }
	if err := json.Unmarshal([]byte(of.Config.Labels["io.buildpacks.lifecycle.metadata"]), &lifecycle); err != nil {
		t.Fatal(err)
	}
	n := slices.Index(of.RootFS.DiffIDs, lifecycle.SBOM.SHA)
	if n < 0 {
		return ""
	}
	from := before
	if body, err := made.Open(doc.Layers[n].Digest); err == nil {
		from = made
		_ = body.Close() // nothing was read
	}
	z, err := gzip.NewReader(bytes.NewReader(blob(t, from, doc.Layers[n].Digest)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// previous is an image as the registry has it for the next build.
func previous(t *testing.T, made builds.Image) *builds.PreviousImage {
	t.Helper()
	doc, _ := parts(t, made)
	_, manifest := made.Manifest()
	return &builds.PreviousImage{
		Manifest: manifest, Config: blob(t, made, doc.Config.Digest),
		Blob: func(_ context.Context, digest string, limit int64) ([]byte, error) {
			content := blob(t, made, digest)
			if int64(len(content)) > limit {
				t.Errorf("it is asked for up to %d bytes of %d", limit, len(content))
			}
			return content, nil
		},
	}
}
