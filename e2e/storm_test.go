package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga/e2e"
)

const (
	stormKills   = 60 // at least, and as many more as it takes for
	stormAcked   = 60 // as many acknowledged pushes, for else it was no storm
	stormPushers = 4
	stormApps    = 2 // so that two pushers contend for each tag
)

// TestNoPushIsLostUnderKills kills the platform at random moments while images
// are pushed, and then holds what was acknowledged against what was released.
// The pushes go to a process type without dynos: this story is about the
// registry, the ledger and the records.
func TestNoPushIsLostUnderKills(t *testing.T) {
	t.Parallel()
	s := &storm{w: kit.Platform(t), acked: map[string]string{}}
	if err := s.w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, calm := context.WithCancel(t.Context())
	var pushers sync.WaitGroup
	for i := range stormPushers {
		pushers.Go(func() { s.push(ctx, t, i) })
	}
	s.kill(t)
	calm()
	pushers.Wait()
	if err := s.w.WaitHealthy(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.judge(t)
}

type storm struct {
	w     *e2e.Platform
	kills int

	mu sync.Mutex
	// acked is every acknowledged push: image digest → app.
	acked  map[string]string
	failed int
	vain   int // kills since the last of them
}

func stormApp(pusher int) string { return fmt.Sprintf("storm-%d", pusher%stormApps) }

// push pushes new images, one after the other, until ctx ends. A push that
// fails is not repeated: its fate is open, and either is right.
func (s *storm) push(ctx context.Context, t *testing.T, pusher int) {
	app := stormApp(pusher)
	for n := 0; ctx.Err() == nil; n++ {
		img, err := s.w.Image(e2e.Image{Version: fmt.Sprintf("storm-%d-%d", pusher, n), Command: []string{"worker"}})
		if err != nil {
			t.Error(err)
			return
		}
		digest, err := img.Digest()
		if err != nil {
			t.Error(err)
			return
		}
		// A push under way when the storm ends is let finish.
		err = s.w.PushImage(context.WithoutCancel(ctx), app+"/worker", img, remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
		s.mu.Lock()
		if err == nil {
			s.acked[digest.String()] = app
			s.vain = 0
		} else {
			s.failed++
		}
		s.mu.Unlock()
		if err != nil {
			s.listens(ctx)
		}
	}
}

// listens waits until the platform takes connections, healthy or not: pushes that
// nobody takes prove nothing, and slow down the start.
func (s *storm) listens(ctx context.Context) {
	_ = e2e.Poll(ctx, func() error { // the kills tell what is wrong
		_, err := s.w.Do(ctx, e2e.Request{Path: "/healthz"})
		return err
	})
}

// kill kills the platform at random moments and starts it again.
func (s *storm) kill(t *testing.T) {
	t.Helper()
	for s.kills < stormKills || s.count() < stormAcked {
		if s.kills++; s.kills > 10*stormKills {
			t.Fatalf("only %d pushes were acknowledged between %d kills", s.count(), s.kills)
		}
		if err := s.w.WaitHealthy(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(rand.N(s.window())) // the randomness is the test
		if err := s.w.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.w.Launch(); err != nil {
			t.Fatal(err)
		}
	}
}

// window is the time in which the next kill comes. It is longer while no push
// gets through: on a slow machine none would ever be done in a second.
func (s *storm) window() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vain++
	return time.Second + time.Duration(s.vain-1)*time.Second/2
}

func (s *storm) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

// stormRelease is what the judge reads of a release.
type stormRelease struct {
	Version int               `json:"version"`
	Current bool              `json:"current"`
	Images  map[string]string `json:"images"`
}

func (s *storm) judge(t *testing.T) {
	released := map[string]int{}
	total := 0
	for i := range stormApps {
		app := stormApp(i)
		rs := s.releases(t, app)
		total += len(rs)
		newest := s.judgeChain(t, app, rs, released)
		if tagged := s.tagged(t, app+"/worker"); tagged != newest {
			t.Errorf("%s: the tag names %s, the newest release %s", app, tagged, newest)
		}
		if out, errOut, err := s.w.Run(t.Context(), "verify", app); err != nil {
			t.Errorf("verify %s: %v\n%s%s", app, err, out, errOut)
		}
	}
	for digest, app := range s.acked {
		if released[digest] == 0 {
			t.Errorf("%s: the push of %s was acknowledged and has no release", app, digest)
		}
	}
	t.Logf("%d kills: %d pushes acknowledged, %d cut, %d releases", s.kills, len(s.acked), s.failed, total)
}

// judgeChain checks that versions have no gap and no double, counts every
// image, and returns the newest one's digest.
func (s *storm) judgeChain(t *testing.T, app string, rs []stormRelease, released map[string]int) string {
	t.Helper()
	newest := ""
	for i, r := range rs {
		if r.Version != i+1 {
			t.Fatalf("%s: release %d has version %d", app, i+1, r.Version)
		}
		if digest := r.Images["worker"]; digest != "" {
			if released[digest]++; released[digest] > 1 {
				t.Errorf("%s: %s was released twice", app, digest)
			}
			newest = digest
		}
	}
	return newest
}

func (s *storm) releases(t *testing.T, app string) []stormRelease {
	t.Helper()
	token, err := s.w.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.w.Do(t.Context(), e2e.Request{
		Path: "/apps/" + app + "/releases", Token: token, Header: http.Header{"Range": {"version ..; max=1000"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var rs []stormRelease
	if err := json.Unmarshal(answer.Body, &rs); err != nil {
		t.Fatalf("%d %s: %v", answer.Status, answer.Body, err)
	}
	return rs
}

// tagged is the digest that a repository's tag names.
func (s *storm) tagged(t *testing.T, repository string) string {
	t.Helper()
	return digestOf(t, s.w, repository+":latest").String()
}

// digestOf asks the registry what a reference names.
func digestOf(t *testing.T, w *e2e.Platform, reference string) v1.Hash {
	t.Helper()
	ref, err := name.ParseReference(w.Registry()+"/"+reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Head(ref, remote.WithContext(t.Context()), remote.WithAuth(bearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	return got.Digest
}
