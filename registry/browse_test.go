package registry_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"renga"
)

func TestBrowsingAnAppsImages(t *testing.T) {
	w := newFixture(t)
	began := time.Now().Add(-time.Minute)
	img := image(t, func(c *v1.ConfigFile) {
		c.Config.Labels = map[string]string{"org.opencontainers.image.title": "shop"}
		c.Config.Env = []string{"TOKEN=s3cret"}
	})
	w.push(t, "hello/web:latest", img)
	w.push(t, "hello/web:v1", img)
	w.push(t, "hello/worker:other", image(t))
	ggcr, oci := describe(t, img)
	signature := w.sign(t, "hello/web", ggcr)

	tags, err := w.reg.StoredTags(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, tag := range tags {
		named = append(named, string(tag.Process)+":"+tag.Name)
	}
	if slices.Sort(named); !slices.Equal(named, []string{"web:latest", "web:v1", "worker:other"}) {
		t.Errorf("tags %v", named)
	}

	all, err := w.reg.StoredImages(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s renga.StoredImage) bool { return s.Digest == string(oci.Digest) && s.Process == "web" })
	if len(all) != 3 || i < 0 || !slices.Equal(all[i].Tags, []string{"latest", "v1"}) || all[i].PushedAt.Before(began) {
		t.Fatalf("images %+v", all)
	}

	m, err := w.reg.StoredManifest(t.Context(), "hello", "web", string(oci.Digest))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	size := oci.Size + manifest.Config.Size
	var layers []string
	for _, l := range manifest.Layers {
		size += l.Size
		layers = append(layers, l.Digest.String())
	}
	var shown []string
	for _, l := range m.Layers {
		shown = append(shown, l.Digest)
	}
	if m.Size != size || !slices.Equal(shown, layers) || m.MediaType != oci.MediaType {
		t.Errorf("%+v, want %d bytes with %v", m, size, layers)
	}
	if len(m.Referrers) != 1 || m.Referrers[0].Digest != signature || m.Referrers[0].ArtifactType != signatureType {
		t.Errorf("referred to by %+v, want %s", m.Referrers, signature)
	}
	config, err := w.reg.StoredConfig(t.Context(), "hello", "web", *m.Config)
	if err != nil || config.Platform != "linux/amd64" || config.Labels["org.opencontainers.image.title"] != "shop" {
		t.Errorf("config %+v, %v", config, err)
	}
	attached, err := w.reg.StoredManifest(t.Context(), "hello", "web", signature)
	if err != nil || attached.Subject != string(oci.Digest) {
		t.Errorf("a signature of %q, %v", attached.Subject, err)
	}
	for _, c := range []struct {
		app    string
		t      renga.ProcessType
		digest string
	}{
		{"other", "web", string(oci.Digest)}, {"hello", "worker", string(oci.Digest)},
		{"hello", "web", "sha256:" + strings.Repeat("0", 64)}, {"hello", "web", "../../../x"}, {"hello", "..", string(oci.Digest)},
		{"../hello", "web", string(oci.Digest)}, {"hello", "releases", string(oci.Digest)},
	} {
		if _, err := w.reg.StoredManifest(t.Context(), c.app, c.t, c.digest); renga.KindOf(err) != renga.NotFound {
			t.Errorf("%+v is found: %v", c, err)
		}
	}
}
