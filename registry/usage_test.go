package registry_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga"
	"renga/registry"
)

// walked is what each app has by a walk over all files of the storage.
func walked(t testing.TB, root string) (map[string]renga.ContentUse, int64) {
	t.Helper()
	owners := map[string]map[string]bool{} // content to the apps that have it
	uses := map[string]renga.ContentUse{}
	base := filepath.Join(root, "docker/registry/v2")
	err := filepath.WalkDir(filepath.Join(base, "repositories"), func(path string, d fs.DirEntry, err error) error {
		rest := strings.TrimPrefix(path, filepath.Join(base, "repositories")+"/")
		app, rest, _ := strings.Cut(rest, "/")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // nothing was ever pushed
		case err != nil || d.IsDir():
			return err
		case strings.Contains(rest, "/_uploads/") && d.Name() == "data":
			info, err := d.Info()
			one := uses[app]
			one.Uploads += info.Size()
			uses[app] = one
			return err
		case d.Name() != "link" || strings.Contains(rest, "/tags/"):
			return nil
		}
		hex := filepath.Base(filepath.Dir(path))
		if owners[hex] == nil {
			owners[hex] = map[string]bool{}
		}
		owners[hex][app] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for hex, apps := range owners {
		info, err := os.Stat(filepath.Join(base, "blobs/sha256", hex[:2], hex, "data"))
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
		for app := range apps {
			one := uses[app]
			if len(apps) > 1 {
				one.Shared += info.Size()
			} else {
				one.Alone += info.Size()
			}
			uses[app] = one
		}
	}
	return uses, sum
}

func (w *fixture) wantUsage(t testing.TB, after string) map[string]renga.ContentUse {
	t.Helper()
	got, sum, err := w.reg.AppContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, wantSum := walked(t, w.options.Dir)
	maps.DeleteFunc(got, func(_ string, use renga.ContentUse) bool { return use == renga.ContentUse{} })
	if !maps.Equal(got, want) || sum != wantSum {
		t.Errorf("after %s: %v, %d in all; on the disk are %v, %d", after, got, sum, want, wantSum)
	}
	return got
}

// TestUsageIsWhatAWalkFinds, though nothing is walked: after pushes, mounts, releases,
// uploads that are cut short, collections, renames, removals and a restart.
func TestUsageIsWhatAWalkFinds(t *testing.T) {
	f := newCollectFixture(t, time.Hour, 48*time.Hour)
	f.wantUsage(t, "nothing")
	base := noise(t, 300<<10)
	with := func(layer v1.Layer) v1.Image {
		img, err := mutate.AppendLayers(empty.Image, base, layer)
		if err != nil {
			t.Fatal(err)
		}
		return configured(t, img, func(c *v1.ConfigFile) { c.Config.Cmd = []string{"/run"} })
	}
	for range 4 {
		f.pushAs(t, "alice", "hello/web:latest", with(noise(t, 100<<10)))
	}
	if got := f.wantUsage(t, "pushes"); got["hello"].Alone < 700<<10 || got["hello"].Shared != 0 {
		t.Errorf("hello has %v", got["hello"])
	}
	f.pushAs(t, "bob", "other/web:latest", with(noise(t, 50<<10)))
	if got := f.wantUsage(t, "a push of a shared layer"); got["hello"].Shared < 300<<10 || got["other"].Shared != got["hello"].Shared {
		t.Errorf("shared are %v", got)
	}
	res, _ := f.do(t, "alice-token", http.MethodPost, "/v2/hello/web/blobs/uploads/", nil, nil)
	res, body := f.do(t, "alice-token", http.MethodPatch, res.Header.Get("Location"), nil, make([]byte, 70<<10))
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("upload: %d %s", res.StatusCode, body)
	}
	at := res.Header.Get("Location")
	if got := f.wantUsage(t, "half an upload"); got["hello"].Uploads != 70<<10 {
		t.Errorf("uploads are %d bytes", got["hello"].Uploads)
	}
	if f.collect(t, false).Removed == 0 {
		t.Error("nothing was collected")
	}
	f.wantUsage(t, "a collection")
	res, _ = f.do(t, "alice-token", http.MethodDelete, at, nil, nil)
	if res.StatusCode != http.StatusNoContent {
		t.Fatalf("the upload is not given up: %d", res.StatusCode)
	}
	f.wantUsage(t, "giving the upload up")
	move := renga.Rename{App: "app-hello", From: "hello", To: "renamed"}
	must(t, f.reg.Hold(t.Context(), move.From, move.To, func() error {
		must(t, f.reg.BeginMove(t.Context(), move))
		f.rename(move.From, move.To)
		return f.reg.EndMove(t.Context(), move)
	}))
	f.wantUsage(t, "a rename")
	must(t, f.reg.RemoveApp(t.Context(), "renamed"))
	if got := f.wantUsage(t, "a removal"); got["other"].Shared != 0 {
		t.Errorf("other shares %d bytes with nobody", got["other"].Shared)
	}
	f.pushAs(t, "bob", "other/worker:latest", with(noise(t, 20<<10)))
	f.wantUsage(t, "another push")
	f.options.Gate = nil // which has what was noted
	f.restart(t)
	f.wantUsage(t, "a restart")
}

// TestAPushOverTheQuotaIsRefused before it is stored, and nothing else is.
func TestAPushOverTheQuotaIsRefused(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.AppQuota = 1 << 20 })
	w.set(renga.App{ID: "app-other", Name: "other", Owner: "alice", DiskQuota: 64 << 20})
	img := image(t)
	w.push(t, "hello/web:latest", img)
	big := noise(t, 9<<20)
	err := remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), big, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "The app hello has", "its quota is 1.0 MiB", "ask for a higher quota")
	if got := w.wantUsage(t, "a refusal"); got["hello"].Sum() > 1<<20 {
		t.Errorf("the refused upload keeps its room: %v", got["hello"])
	}
	must(t, remote.WriteLayer(w.ref(t, "other/web:latest").Context(), big, as("alice-token")...)) // its own quota is larger
	small := w.ref(t, "hello/web:latest").Context()
	must(t, remote.WriteLayer(small, noise(t, 3<<19), as("alice-token")...)) // too short to be stopped in the middle
	wantRefusal(t, remote.WriteLayer(small, noise(t, 10), as("alice-token")...), http.StatusForbidden, "DENIED", "quota")
	if res, body := w.put(t, "hello/web", img); res.StatusCode != http.StatusForbidden || ociCode(t, body) != "DENIED" {
		t.Errorf("manifest: %d %s", res.StatusCode, body)
	}
	for _, url := range []string{"?mount=" + digestOf(t, big) + "&from=other/web", ""} {
		res, body := w.do(t, "alice-token", http.MethodPost, "/v2/hello/web/blobs/uploads/"+url, nil, nil)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "quota") {
			t.Errorf("upload%s: %d %s", url, res.StatusCode, body)
		}
	}
	pulled, err := remote.Image(w.ref(t, "hello/web:latest"), as("alice-token")...)
	must(t, err)
	must(t, readAll(pulled))
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", DiskQuota: 32 << 20})
	w.push(t, "hello/web:latest", image(t))
}

// TestAMountCountsAgainstTheQuota although nothing is uploaded.
func TestAMountCountsAgainstTheQuota(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.AppQuota = 1 << 20 })
	w.set(renga.App{ID: "app-other", Name: "other", Owner: "alice", DiskQuota: 64 << 20})
	big := noise(t, 2<<20)
	must(t, remote.WriteLayer(w.ref(t, "other/web:latest").Context(), big, as("alice-token")...))
	res, body := w.do(t, "alice-token", http.MethodPost,
		"/v2/hello/web/blobs/uploads/?mount="+digestOf(t, big)+"&from=other/web", nil, nil)
	if res.StatusCode != http.StatusForbidden || ociCode(t, body) != "DENIED" {
		t.Errorf("mount: %d %s", res.StatusCode, body)
	}
	w.wantUsage(t, "a refused mount")
}

// TestUnfinishedUploadsCountAgainstTheQuota or many of them would fill the disk.
func TestUnfinishedUploadsCountAgainstTheQuota(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.AppQuota = 1 << 20 })
	for n := range 4 {
		res, body := w.do(t, "alice-token", http.MethodPost, "/v2/hello/web/blobs/uploads/", nil, nil)
		if n == 3 {
			if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "quota") {
				t.Errorf("upload %d: %d %s", n, res.StatusCode, body)
			}
			break
		}
		res, body = w.do(t, "alice-token", http.MethodPatch, res.Header.Get("Location"), nil, make([]byte, 400<<10))
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("upload %d: %d %s", n, res.StatusCode, body)
		}
	}
}

// TestRoomOfARefusedPushComesBackAtOnce to whoever deletes the layers that had arrived.
func TestRoomOfARefusedPushComesBackAtOnce(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.AppQuota = 1 << 20 })
	layer := noise(t, 3<<19)
	must(t, remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), layer, as("alice-token")...))
	err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "quota")
	res, body := w.do(t, "alice-token", http.MethodDelete, "/v2/hello/web/blobs/"+digestOf(t, layer), nil, nil)
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("delete: %d %s", res.StatusCode, body)
	}
	w.wantUsage(t, "the delete")
	w.push(t, "hello/web:latest", image(t))
}

// BenchmarkUsageOfAnApp with 2,000 pieces of content, once they are known.
func BenchmarkUsageOfAnApp(b *testing.B) {
	w := newFixture(b)
	for n := range 2_000 {
		hex := strings.Repeat("0", 59) + string([]byte{
			'a' + byte(n%6), '0' + byte(n/6%10), '0' + byte(n/60%10), '0' + byte(n/600%10), '0' + byte(n/6000%10),
		})
		for _, path := range []string{"repositories/hello/web/_layers/sha256/" + hex + "/link", "blobs/sha256/00/" + hex + "/data"} {
			path = filepath.Join(w.options.Dir, "docker/registry/v2", path)
			must(b, os.MkdirAll(filepath.Dir(path), 0o700))
			must(b, os.WriteFile(path, []byte("x"), 0o600))
		}
	}
	for b.Loop() {
		if _, _, err := w.reg.AppContent(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
