package registry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// killing is a registry that collects all the time, and is killed all the time.
type killing struct {
	t    *testing.T
	host atomic.Value // of the process that lives now
	pool []v1.Layer

	mu    sync.Mutex
	acked map[string]bool // digests of pushes to the release tag
	grown chan struct{}   // closed and replaced with each
}

func (k *killing) ref(repository string) (name.Reference, error) {
	return name.ParseReference(k.host.Load().(string)+"/"+repository, name.Insecure)
}

// TestNoAcknowledgedImageIsLostIfCollectionsAreKilled with SIGKILL, anywhere, again and
// again, while images of shared layers are pushed and tags deleted.
func TestNoAcknowledgedImageIsLostIfCollectionsAreKilled(t *testing.T) {
	const kills = 6
	k := &killing{t: t, acked: map[string]bool{}, grown: make(chan struct{})}
	for range 12 {
		layer, err := random.Layer(16<<10, types.DockerLayer)
		must(t, err)
		k.pool = append(k.pool, layer)
	}
	dir := t.TempDir()
	ctx, calm := context.WithTimeout(t.Context(), 2*time.Minute)
	defer calm()
	var pushers sync.WaitGroup
	removed := 0
	chance := rand.New(rand.NewPCG(1, 7))
	n := 0
	for ; (n < kills || removed == 0) && ctx.Err() == nil; n++ {
		c := startChild(t, kindCollecting, dir)
		k.host.Store(c.host)
		if n == 0 {
			for p := range 3 {
				pushers.Go(func() { k.push(ctx, p) })
			}
		}
		// The kill comes anywhere after some pushes, however fast the machine is.
		k.await(ctx, k.count()+1+chance.IntN(3))
		<-time.After(time.Duration(chance.IntN(300)) * time.Millisecond)
		must(t, c.cmd.Process.Kill())
		removed += c.removed()
		_ = c.cmd.Wait()
		if c.fail.Len() > 0 {
			t.Errorf("the registry failed: %s", c.fail)
		}
	}
	calm()
	pushers.Wait()
	c := startChild(t, kindRenga, dir)
	defer c.end(t)
	k.host.Store(c.host)
	t.Logf("%d kills, %d pushes acknowledged, %d pieces removed", n, len(k.acked), removed)
	if n < kills || removed == 0 {
		t.Error("it was no storm")
	}
	for dgst := range k.acked {
		ref, err := k.ref("hello/releases@" + dgst)
		must(t, err)
		img, err := remote.Image(ref, as("alice-token")...)
		if err == nil {
			err = readAll(img)
		}
		if err != nil {
			t.Errorf("an acknowledged image is lost: %v", err)
		}
	}
}

func (k *killing) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.acked)
}

// await waits until so many pushes are acknowledged.
func (k *killing) await(ctx context.Context, wanted int) {
	for {
		k.mu.Lock()
		enough, grown := len(k.acked) >= wanted, k.grown
		k.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-grown:
		}
	}
}

// push pushes releases, and images to tags that it deletes at once.
func (k *killing) push(ctx context.Context, n int) {
	chance := rand.New(rand.NewPCG(uint64(n), 7))
	for i := 0; ctx.Err() == nil; i++ {
		img := image(k.t)
		for _, one := range chance.Perm(len(k.pool))[:4] {
			var err error
			if img, err = mutate.AppendLayers(img, k.pool[one]); err != nil {
				k.t.Error(err)
				return
			}
		}
		tag := "hello/web:latest"
		if i%2 == 0 {
			tag = fmt.Sprintf("hello/web:passing-%d", n)
		}
		ref, err := k.ref(tag)
		if err != nil {
			k.t.Error(err)
			return
		}
		options := append(as("alice-token"), remote.WithContext(ctx))
		if remote.Write(ref, img, options...) != nil {
			continue // it was killed
		}
		if i%2 == 0 {
			_ = remote.Delete(ref, options...)
			continue
		}
		k.mu.Lock()
		k.acked[digestOf(k.t, img)] = true
		close(k.grown)
		k.grown = make(chan struct{})
		k.mu.Unlock()
	}
}
