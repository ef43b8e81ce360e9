package registry_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga/durable/durabletest"
	"renga/registry"
)

func onSmallDisk(dir string, minFree int64) func(*registry.Options) {
	return func(o *registry.Options) {
		o.Dir, o.IntentDir, o.MinFreeBytes = filepath.Join(dir, "registry"), filepath.Join(dir, "pushes"), minFree
	}
}

func TestFullDiskFailsThePushAndNothingElse(t *testing.T) {
	w := newFixture(t, onSmallDisk(durabletest.SmallDisk(t, 32), 0))
	img := image(t)
	w.push(t, "hello/web:latest", img)
	err := remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), noise(t, 48<<20), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "disk is full")
	if strings.Contains(err.Error(), w.options.Dir) {
		t.Errorf("the answer tells paths: %v", err)
	}
	if w.tagOf(t, "hello/web:latest") != digestOf(t, img) || len(w.released()) != 1 {
		t.Error("the full disk harmed the image that was there")
	}
	w.push(t, "hello/web:latest", image(t)) // the failed upload gave its room back
	if len(w.released()) != 2 {
		t.Error("no release after the disk had room again")
	}
}

func TestPushesWithoutRoomInTheEngineAreRefused(t *testing.T) {
	free, away := int64(1<<30), error(nil)
	w := newFixture(t, func(o *registry.Options) {
		o.MinFreeBytes = 64 << 20
		o.EngineFree = func(context.Context) (int64, error) { return free, away }
	})
	img, next := image(t), image(t)
	w.push(t, "hello/web:latest", img)
	free = 32 << 20
	err := remote.Write(w.ref(t, "hello/web:latest"), next, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "Docker's disk is nearly full", "64.0 MiB needed")
	if w.tagOf(t, "hello/web:latest") != digestOf(t, img) {
		t.Error("the tag moved")
	}
	away = errors.New("no answer")
	w.push(t, "hello/web:latest", next)
}

func TestNearlyFullDiskRefusesPushesAndLetsPullsBe(t *testing.T) {
	dir := durabletest.SmallDisk(t, 32)
	w := newFixture(t, onSmallDisk(dir, 8<<20))
	img, next := image(t), image(t)
	w.push(t, "hello/web:latest", img)
	w.push(t, "hello/web:stored", next)
	filler := fill(t, filepath.Join(dir, "filler"), 28<<20)
	err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "The platform's disk is nearly full", "8.0 MiB needed")
	if res, body := w.put(t, "hello/web", next); res.StatusCode != http.StatusForbidden ||
		!strings.Contains(body, "nearly full") {
		t.Errorf("manifest: %d %s", res.StatusCode, body)
	}
	if w.tagOf(t, "hello/web:latest") != digestOf(t, img) {
		t.Error("the tag moved")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.push(t, "hello/web:latest", next)
}

func TestUploadStopsBeforeItTakesTheReserve(t *testing.T) {
	dir := durabletest.SmallDisk(t, 32)
	w := newFixture(t, onSmallDisk(dir, 12<<20))
	err := remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), noise(t, 31<<20), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "nearly full")
	if free := w.reg.Stats().FreeBytes; free < 30<<20 {
		t.Errorf("%d bytes free: the stopped upload kept its room", free)
	}
}

func fill(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is a layer of that many bytes that are nothing; the registry does not
// look.
func noise(t testing.TB, size int) v1.Layer {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(b, types.DockerLayer)
}
