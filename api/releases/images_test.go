package releases_test

import (
	"context"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// StoredImages has what release 2 runs, and an artifact.
func (fake) StoredImages(context.Context, string) ([]renga.StoredImage, error) {
	return []renga.StoredImage{
		{Process: "web", Digest: wiretest.Image("web", 2).Digest, PushedAt: wiretest.Born, Tags: []string{"latest"}},
		{Process: "web", Digest: "sha256:" + strings.Repeat("f", 64), PushedAt: wiretest.Born},
	}, nil
}

func (fake) StoredTags(context.Context, string) ([]renga.StoredTag, error) {
	return []renga.StoredTag{
		{Process: "web", Name: "latest", Digest: "sha256:1", UpdatedAt: wiretest.Born},
		{Process: "worker", Name: "latest", Digest: "sha256:2", UpdatedAt: wiretest.Born},
	}, nil
}

func (fake) StoredManifest(_ context.Context, _ string, _ renga.ProcessType, digest string) (renga.StoredManifest, error) {
	if digest != wiretest.Image("web", 2).Digest {
		return renga.StoredManifest{MediaType: "m", ArtifactType: "a", Subject: wiretest.Image("web", 2).Digest}, nil
	}
	return renga.StoredManifest{
		MediaType: "m", Size: 7, Config: &renga.StoredContent{Digest: "sha256:c", Size: 3},
		Layers: []renga.StoredContent{{Digest: "sha256:l", MediaType: "l", Size: 4}}, Referrers: []renga.StoredContent{{Digest: "sha256:r"}},
	}, nil
}

func (fake) StoredConfig(context.Context, string, renga.ProcessType, renga.StoredContent) (renga.StoredConfig, error) {
	return renga.StoredConfig{Platform: "linux/amd64", Labels: map[string]string{"a": "b"}}, nil
}

func TestImagesAndTagsAreBrowsed(t *testing.T) {
	digest := wiretest.Image("web", 2).Digest
	run(t, []scenario{
		{
			Name: "images", URL: "/apps/hello/images",
			Has: []string{
				`"digest":"` + digest + `"`, `"releases":[2`, `"tags":["latest"]`, `"size":7`, `"referrers":1`,
				`"artifact_type":"a"`, `"subject":"` + digest + `"`,
			},
		},
		{
			Name: "a page", URL: "/apps/hello/images", Headers: map[string]string{"Range": "digest ..; max=1"}, Status: 206,
			Has: []string{`"releases":[2`}, HasNot: []string{`"artifact_type":"a"`},
		},
		{
			Name: "one", URL: "/apps/hello/images/web/" + digest,
			Has: []string{
				`"layers":[{"digest":"sha256:l","media_type":"l","size":4}]`, `"labels":{"a":"b"}`, `"platform":"linux/amd64"`,
				`"referrers":[{"digest":"sha256:r"`,
			},
		},
		{Name: "none", URL: "/apps/hello/images/worker/" + digest, Status: 404},
		{Name: "of others", URL: "/apps/other/images", Status: 403},
		{Name: "tags of others", URL: "/apps/other/tags", Status: 403},
		{Name: "one of others", URL: "/apps/other/images/web/" + digest, Status: 403},
		{
			Name: "tags", URL: "/apps/hello/tags",
			Has: []string{`"name":"latest","process_type":"web"`, `"name":"latest","process_type":"worker"`},
		},
	})
}
