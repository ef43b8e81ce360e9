package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
)

// immutable makes tags of hello immutable.
func (w *fixture) immutable(patterns ...string) {
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Registry: renga.RegistryRules{ImmutableTags: patterns}})
}

func TestAnImmutableTagStaysWhatItIs(t *testing.T) {
	w := newFixture(t)
	w.immutable("*", "!latest")
	first, second := image(t), image(t)
	w.push(t, "hello/web:v1", first) // a new tag can be made
	w.push(t, "hello/web:v1", first) // and made again
	err := remote.Write(w.ref(t, "hello/web:v1"), second, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "The tag v1 is immutable in the app hello")
	// Nor by the short name of the repository.
	err = remote.Write(w.ref(t, "hello:v1"), second, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "immutable")
	for _, path := range []string{
		"/v2/hello/web/manifests/v1", "/v2/hello/manifests/v1", "/v2/hello/web/manifests/" + digestOf(t, first),
	} {
		res, body := w.do(t, "alice-token", "DELETE", path, nil, nil)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "cannot be deleted") {
			t.Errorf("DELETE %s: %d %s", path, res.StatusCode, body)
		}
	}
	if got := w.tagOf(t, "hello/web:v1"); got != digestOf(t, first) {
		t.Errorf("v1 is %s, want %s", got, digestOf(t, first))
	}
	w.push(t, "hello/web:latest", first)
	w.push(t, "hello/web:latest", second)
	if got := w.released(); len(got) != 2 {
		t.Errorf("%d releases of the tag that is excepted", len(got))
	}
}

// TestAnImmutableReleaseTagReleasesNothingNew: the refusal comes before the tag moves
// and before there is a release.
func TestAnImmutableReleaseTagReleasesNothingNew(t *testing.T) {
	w := newFixture(t)
	first := image(t)
	w.push(t, "hello/web:latest", first)
	w.immutable("latest")
	err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "The tag latest is immutable")
	if got := w.released(); len(got) != 1 || w.reg.Stats().Waiting != 0 {
		t.Errorf("%d releases, %d intents", len(got), w.reg.Stats().Waiting)
	}
	if got := w.tagOf(t, "hello/web:latest"); got != digestOf(t, first) {
		t.Errorf("latest is %s, want %s", got, digestOf(t, first))
	}
}
