package buildpacks_test

import (
	"encoding/json"
	"io"
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
