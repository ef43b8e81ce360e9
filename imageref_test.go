package renga_test

import (
	"strings"
	"testing"

	"renga"
)

func TestImageReferences(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for text, want := range map[string]renga.ImageRef{
		"nginx":                       {Host: "docker.io", Repository: "library/nginx", Tag: "latest"},
		"acme/shop:v1":                {Host: "docker.io", Repository: "acme/shop", Tag: "v1"},
		"index.docker.io/acme/shop":   {Host: "docker.io", Repository: "acme/shop", Tag: "latest"},
		"GHCR.io/acme/shop:v1":        {Host: "ghcr.io", Repository: "acme/shop", Tag: "v1"},
		"ghcr.io/acme/shop@" + digest: {Host: "ghcr.io", Repository: "acme/shop", Digest: digest},
		"localhost:5000/a/b/c:x@" + digest: {
			Host: "localhost:5000", Repository: "a/b/c", Tag: "x", Digest: digest,
		},
		"[::1]:5000/a": {Host: "[::1]:5000", Repository: "a", Tag: "latest"},
	} {
		got, err := renga.ParseImageRef(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := renga.ParseImageRef(got.String()); err != nil || again != got {
			t.Errorf("%q is read again as %+v, %v", got, again, err)
		}
	}
}

func TestWhatNamesNoImage(t *testing.T) {
	for _, text := range []string{
		"", "/", "a/", "/a", "ghcr.io/", "ghcr.io/UPPER", "ghcr.io/a:", "ghcr.io/a:b:c", "ghcr.io/a@sha256:12",
		"https://ghcr.io/a", "user:pass@ghcr.io/a", "ghcr.io/a b", "ghcr.io/../v2/x", "ghcr.io/a?x=y", "ghcr.io/a#f",
		"ghcr.io/a/manifests/../../b", "evil\n.com/a", "127.0.0.1:99999999/a", "ghcr.io/" + strings.Repeat("a", 300),
	} {
		if ref, err := renga.ParseImageRef(text); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%q: %+v, %v; want it invalid", text, ref, err)
		}
	}
}
