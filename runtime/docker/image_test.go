package docker_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
)

// pushed is a dyno of an image that is only in the fixture's registry.
func pushed(w *fixture, args ...string) engine.Spec {
	w.Helper()
	img, err := newImage()
	if err != nil {
		w.Fatal(err)
	}
	w.registry.push(w.T, "blog/releases", img)
	described, err := describe(img)
	if err != nil {
		w.Fatal(err)
	}
	removeAtEnd(w.registry.host + "/blog/releases@" + described.Digest)
	return specOf(described, args...)
}

func TestImageIsPulledOnceForAllWhoWait(t *testing.T) {
	w := newFixture(t)
	s := pushed(w, "exit")
	w.registry.manifests.Store(0)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := w.engine.Start(t.Context(), again(s)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.registry.manifests.Load(); n != 1 {
		t.Errorf("the manifest was fetched %d times; want once", n)
	}
	w.start(again(s))
	if n := w.registry.manifests.Load(); n != 1 {
		t.Error("an image that is there was fetched again")
	}
	for _, c := range w.containers(w.options.Platform) {
		if got := w.inspect(c.ID).Config.Image; got != s.Image.Config {
			t.Errorf("made from %s; want the content-addressed %s", got, s.Image.Config)
		}
	}
}

func TestImagesGoWithTheLastAppAndOthersStay(t *testing.T) {
	w := newFixture(t)
	one := pushed(w, "exit")
	two, tagged, loaded := again(one), pushed(w, "exit"), w.spec("exit")
	two.App = renga.AppID(uuid.NewString())
	for _, s := range []engine.Spec{one, two, tagged, loaded} {
		in := w.start(s)
		if err := w.engine.Stop(t.Context(), in.ID, 0); err != nil {
			t.Fatal(err)
		}
	}
	mine := "somebodys:" + strings.TrimPrefix(tagged.Image.Config, "sha256:")[:12]
	if err := w.raw.ImageTag(t.Context(), tagged.Image.Config, mine); err != nil {
		t.Fatal(err)
	}
	removeAtEnd(mine)
	before := w.names(loaded.Image.Config)
	for _, c := range []struct {
		gone  engine.Spec
		image renga.Image
		names int // that the image has then; 0 for no image
	}{
		{one, one.Image, 2}, // the other app's tag, and what it was pulled by
		{two, two.Image, 0},
		{tagged, tagged.Image, 1},
		{loaded, loaded.Image, len(before)},
	} {
		for range 2 {
			if err := w.engine.Forget(t.Context(), c.gone.App); err != nil {
				t.Fatal(err)
			}
		}
		if names := w.names(c.image.Config); len(names) != c.names {
			t.Errorf("the image has the names %q; want %d", names, c.names)
		}
	}
	if after := w.names(loaded.Image.Config); !slices.Equal(before, after) {
		t.Errorf("an image that was there is called %q; it was %q", after, before)
	}
	w.start(again(one, "serve")) // it is pulled anew
}

// names are an image's on the daemon; none when it is not there.
func (w *fixture) names(id string) []string {
	w.Helper()
	img, err := w.raw.ImageInspect(w.Context(), id)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.Fatal(err)
	}
	return append(img.RepoTags, img.RepoDigests...)
}

// TestAPullThatIsBrokenOffIsTakenUpAnew by a start that begins at once.
func TestAPullThatIsBrokenOffIsTakenUpAnew(t *testing.T) {
	w := newFixture(t)
	for delay := range 3 {
		s := pushed(w, "exit")
		ctx, breakOff := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { _, _ = w.engine.Start(ctx, s) })       // it may have been done by then
		time.Sleep(time.Duration(delay) * 40 * time.Millisecond) // the moment is what is tried; it orders nothing
		breakOff()
		brief, enough := context.WithTimeout(t.Context(), 30*time.Second)
		if _, err := w.engine.Start(brief, again(s)); err != nil {
			t.Errorf("broken off after %d ms: %v", delay*40, err)
		}
		enough()
		first.Wait()
	}
}

func TestImageThatTheRegistryLostIsInvalid(t *testing.T) {
	w := newFixture(t)
	s := pushed(w, "exit")
	s.Image.Digest, s.Image.Config = "sha256:"+strings.Repeat("1", 64), ""
	for _, repository := range []string{"blog", "nothing-here"} {
		s.AppName = repository
		_, err := w.engine.Start(t.Context(), s)
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), "not in the registry any more") {
			t.Errorf("%s: error %v of kind %q", repository, err, renga.KindOf(err))
		}
	}
}

func TestRegistryThatIsAwayOrRefusesUsMayComeBack(t *testing.T) {
	w := newFixture(t)
	s := pushed(w, "exit")
	w.registry.refuse.Store(true)
	_, err := w.engine.Start(t.Context(), s)
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(renga.MessageOf(err, ""), "credential") {
		t.Errorf("refused: error %v of kind %q", err, renga.KindOf(err))
	}
	if strings.Contains(err.Error(), pullToken) {
		t.Error("the error tells the token")
	}

	o := w.options
	o.Registry = "127.0.0.1:1" // nobody listens there
	away, _ := newEngine(t, o)
	_, err = away.Start(t.Context(), s)
	if renga.KindOf(err) != renga.Unavailable {
		t.Errorf("away: error %v of kind %q", err, renga.KindOf(err))
	}

	w.registry.refuse.Store(false)
	w.start(s)
}
