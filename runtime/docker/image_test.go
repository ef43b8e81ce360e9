package docker_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/runtime"
	"renga/runtime/docker"
)

// pushed is a dyno of an image that is only in the world's registry.
func pushed(w *world, args ...string) runtime.Spec {
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
	w := newWorld(t)
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

// TestAPullThatIsBrokenOffIsTakenUpAnew by a start that begins at once.
func TestAPullThatIsBrokenOffIsTakenUpAnew(t *testing.T) {
	w := newWorld(t)
	for delay := range 3 {
		s := pushed(w, "exit")
		ctx, breakOff := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { _, _ = w.engine.Start(ctx, s) })       // it may have been done by then
		time.Sleep(time.Duration(delay) * 40 * time.Millisecond) // the moment is what is tried; it orders nothing
		breakOff()
		patience, enough := context.WithTimeout(t.Context(), 30*time.Second)
		if _, err := w.engine.Start(patience, again(s)); err != nil {
			t.Errorf("broken off after %d ms: %v", delay*40, err)
		}
		enough()
		first.Wait()
	}
}

func TestImageThatTheRegistryLostIsInvalid(t *testing.T) {
	w := newWorld(t)
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
	w := newWorld(t)
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
	_, err = newEngine(t, o).Start(t.Context(), s)
	if renga.KindOf(err) != renga.Unavailable {
		t.Errorf("away: error %v of kind %q", err, renga.KindOf(err))
	}

	w.registry.refuse.Store(false)
	w.start(s)
}

func TestEngineNeedsAPlatform(t *testing.T) {
	if _, err := docker.New(docker.Options{}); err == nil {
		t.Error("without a platform's id it would take everybody's containers for its own")
	}
}
