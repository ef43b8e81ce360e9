package registry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
)

// raceTime is how long the race goes on: 10 seconds, or what RENGA_GC_RACE says.
func raceTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("RENGA_GC_RACE")
	if text == "" {
		text = "10s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// race is what goes on at once.
type race struct {
	*collectFixture
	t      *testing.T
	pool   []v1.Layer
	moving sync.RWMutex // exclusive: an app is being renamed, which ends uploads
	pushes atomic.Int64
	slow   atomic.Int64 // the longest push, in nanoseconds

	deletes map[int]*atomic.Int64 // by the status that they get
}

// TestNothingAcknowledgedIsLostWhileContentIsCollected pushes images of shared
// layers, deletes tags, manifests and blobs, rolls back and renames, all while content
// is collected again and again.
func TestNothingAcknowledgedIsLostWhileContentIsCollected(t *testing.T) {
	f := newCollectFixture(t, 5*time.Second, 0)
	r := &race{collectFixture: f, t: t, deletes: map[int]*atomic.Int64{http.StatusAccepted: {}, http.StatusForbidden: {}}}
	for range 16 {
		layer, err := random.Layer(32<<10, types.DockerLayer)
		if err != nil {
			t.Fatal(err)
		}
		r.pool = append(r.pool, layer)
	}
	f.set(renga.App{ID: "app-mover", Name: "mover", Owner: "alice", Retention: renga.Retention{Releases: 2}})
	f.push(t, "mover/web:latest", image(t))
	ctx, cancel := context.WithTimeout(t.Context(), raceTime(t))
	defer cancel()
	var all sync.WaitGroup
	for n, app := range []string{"hello", "hello", "mover", "mover"} {
		all.Go(func() { r.push(ctx, app, n) })
	}
	all.Go(func() { r.rollBack(ctx) })
	all.Go(func() { r.rename(ctx) })
	removed, longest, collections, moved := 0, time.Duration(0), 0, 0
	for ctx.Err() == nil {
		got, err := f.collector.Collect(t.Context(), false)
		switch {
		case renga.KindOf(err) == renga.Unavailable: // it met renames all the time
			moved++
		case err != nil:
			t.Errorf("collection %d: %v", collections, err)
		}
		removed, collections, longest = removed+got.Removed, collections+1, max(longest, got.LongestHold)
	}
	all.Wait()
	t.Logf("%d pushes, the longest %s; %d deletes, and %d refused; %d collections removed %d pieces, and held one for %s at most",
		r.pushes.Load(), time.Duration(r.slow.Load()), r.deletes[http.StatusAccepted].Load(),
		r.deletes[http.StatusForbidden].Load(), collections, removed, longest)
	if t.Failed() {
		for line := range strings.SplitSeq(f.log.String(), "\n") {
			if strings.Contains(line, "level=ERROR") {
				t.Log(line)
			}
		}
	}
	if removed == 0 || r.pushes.Load() < 16 || moved > collections/4 {
		t.Error("there was no race")
	}
	for _, app := range []renga.AppID{"app-hello", "app-mover"} {
		r.check(app)
	}
}

// push pushes images of shared layers, pulls each, and deletes its tag.
func (r *race) push(ctx context.Context, app string, n int) {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	for i := 0; ctx.Err() == nil; i++ {
		img := v1.Image(empty.Image)
		for _, k := range random.Perm(len(r.pool))[:4] {
			var err error
			if img, err = mutate.AppendLayers(img, r.pool[k]); err != nil {
				r.t.Error(err)
				return
			}
		}
		img = configured(r.t, img, func(c *v1.ConfigFile) {
			c.OS, c.Architecture, c.Author = "linux", "amd64", fmt.Sprint(n, i)
			c.Config.Entrypoint = []string{"/app"}
		})
		tag := fmt.Sprintf("%s/web:t%d", app, n)
		if i%2 == 0 {
			tag = app + "/web:latest"
		}
		r.moving.RLock()
		begun := time.Now()
		err := remote.Write(r.ref(r.t, tag), img, as("alice-token")...)
		r.moving.RUnlock()
		if err != nil {
			r.t.Errorf("push %s: %v", tag, err)
			continue
		}
		took := int64(time.Since(begun))
		for was := r.slow.Load(); took > was && !r.slow.CompareAndSwap(was, took); was = r.slow.Load() {
		}
		r.pushes.Add(1)
		pulled, err := remote.Image(r.ref(r.t, app+"/web@"+digestOf(r.t, img)), as("alice-token")...)
		if err == nil {
			err = readAll(pulled)
		}
		if err != nil {
			r.t.Errorf("acknowledged and not to be pulled: %s: %v", tag, err)
		}
		r.remove(app, tag, img, i)
	}
}

// remove deletes something of an image that was just pushed: what others count on, which
// is refused; its manifest, of which the release keeps its own; its tag; or all of it.
func (r *race) remove(app, tag string, img v1.Image, turn int) {
	dgst := digestOf(r.t, img)
	web := "/v2/" + app + "/web/"
	switch turn % 4 {
	case 0:
		layers, err := img.Layers()
		if err != nil {
			r.t.Error(err)
			return
		}
		r.delete(web+"blobs/"+digestOf(r.t, layers[0]), http.StatusForbidden)
		if err := r.pulls(r.t, app+"/web", dgst); err != nil {
			r.t.Errorf("after a delete that was refused: %v", err)
		}
	case 2:
		r.delete(web+"manifests/"+dgst, http.StatusAccepted)
		if err := r.pulls(r.t, app+"/releases", dgst); err != nil {
			r.t.Errorf("a release has lost its image with the manifest that was pushed: %v", err)
		}
	case 1:
		if err := remote.Delete(r.ref(r.t, tag), as("alice-token")...); err != nil {
			r.t.Errorf("delete %s: %v", tag, err)
		}
	case 3:
		config, err := img.ConfigName()
		if err != nil {
			r.t.Error(err)
			return
		}
		r.delete(web+"manifests/"+dgst, http.StatusAccepted)
		r.delete(web+"blobs/"+config.String(), http.StatusAccepted)
		if err := r.pulls(r.t, app+"/web", dgst); err == nil {
			r.t.Errorf("%s is there after its delete", dgst)
		}
	}
}

// delete deletes something, and counts it if that is what is to happen.
func (r *race) delete(path string, want int) {
	res, body := r.do(r.t, "alice-token", http.MethodDelete, path, nil, nil)
	if res.StatusCode != want {
		r.t.Errorf("DELETE %s: %s, want %d: %s", path, res.Status, want, body)
	}
	r.deletes[want].Add(1)
}

// rollBack makes releases of old images, as far as they are there.
func (r *race) rollBack(ctx context.Context) {
	for ctx.Err() == nil {
		all := r.store.versions("app-hello")
		if len(all) < 3 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		images := all[len(all)-1-rand.IntN(min(len(all), 30))].Images
		err := r.store.release(ctx, renga.App{ID: "app-hello", Name: "hello"}, images)
		if err != nil && renga.KindOf(err) != renga.NotFound && ctx.Err() == nil {
			r.t.Errorf("roll back: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// rename gives an app one name after the other; it ends with its first.
func (r *race) rename(ctx context.Context) {
	names := [2]string{"mover", "movee"}
	for i := 0; ctx.Err() == nil || i%2 == 1; i++ {
		m := renga.Rename{App: "app-mover", From: names[i%2], To: names[(i+1)%2]}
		r.moving.Lock()
		err := r.reg.Hold(context.Background(), m.From, m.To, func() error {
			if err := r.reg.BeginMove(context.Background(), m); err != nil {
				return err
			}
			r.fakeDirectory.rename(m.From, m.To)
			return r.reg.EndMove(context.Background(), m)
		})
		r.moving.Unlock()
		if err != nil {
			r.t.Errorf("rename %v: %v", m, err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// check proves that the newest releases of an app are whole, and its chain too.
func (r *race) check(app renga.AppID) {
	all := r.store.versions(app)
	name := string(app)[len("app-"):]
	for _, rec := range all[max(0, len(all)-2):] {
		for _, img := range rec.Images {
			if err := r.pulls(r.t, name+"/releases", img.Digest); err != nil {
				r.t.Errorf("%s of %s: %v", renga.VersionName(rec.Version), name, err)
			}
		}
	}
	good, err := r.ledger.Verify(context.Background(), name)
	if err != nil || good != len(all) {
		r.t.Errorf("of %d releases of %s %d are good: %v", len(all), name, good, err)
	}
}
