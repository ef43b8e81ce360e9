package e2e_test

import (
	"strings"
	"testing"

	"renga/e2e"
)

// TestZstdImagesRunOrAreRefused: an engine before 23.0 cannot unpack them, and
// the push says so; one from then on runs them.
func TestZstdImagesRunOrAreRefused(t *testing.T) {
	s := newStory(t)
	s.start()
	said, err := s.w.Docker(t.Context(), "version", "--format", "{{.Server.Version}}")
	s.must(err)
	img, err := s.w.Image(e2e.Image{Version: "packed", Zstd: true})
	s.must(err)
	err = s.w.PushImage(t.Context(), "packed", img)
	if old := strings.HasPrefix(said, "20."); old {
		if err == nil || !strings.Contains(err.Error(), "zstd layers, which need Docker Engine 23.0") {
			t.Errorf("engine %s: %v", said, err)
		}
		return
	}
	s.must(err)
	s.up("packed", "packed")
}
