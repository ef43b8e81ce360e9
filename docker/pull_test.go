package docker_test

import (
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// TestAnImageIsPulledByItsNameOnce from a registry that everybody may read, and is
// found when the registry is away.
func TestAnImageIsPulledByItsNameOnce(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	where := strings.TrimPrefix(server.URL, "http://") + "/service:1"
	img, err := random.Image(3<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(where, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, docker.Options{Platform: "test-" + uuid.NewString()})
	var done, total int64
	pulled, err := client.ImageByName(t.Context(), where, func(d, of int64) {
		if d < done || of < total || d > of {
			t.Errorf("%d of %d bytes came after %d of %d", d, of, done, total)
		}
		done, total = d, of
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dockertest.Docker(t, "rmi", where) })
	want, err := img.Digest()
	if err != nil || pulled.Digest != want.String() || pulled.ID == "" {
		t.Errorf("it is %+v, %v; want digest %s", pulled, err, want)
	}
	if done != total || total < 6<<20 {
		t.Errorf("it was told of %d of %d bytes; want all of 6 MiB", done, total)
	}

	server.Close()
	again, err := client.ImageByName(t.Context(), where, func(int64, int64) { t.Error("it is pulled again") })
	if err != nil || again != pulled {
		t.Errorf("the second time it is %+v, %v; want %+v", again, err, pulled)
	}
}

func TestWhatCannotBePulledSaysWhatToDo(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, docker.Options{Platform: "test-" + uuid.NewString()})
	for _, c := range []struct {
		image, says string
		kind        renga.Kind
	}{
		{strings.TrimPrefix(server.URL, "http://") + "/none:1", "Correct its name, or bring it", renga.Invalid},
		{away + "/service:1", "docker load", renga.Unavailable},
		{"Not a name", "postgres:15", renga.Invalid},
	} {
		_, err := client.ImageByName(t.Context(), c.image, func(int64, int64) {})
		if renga.KindOf(err) != c.kind || !strings.Contains(renga.MessageOf(err, ""), c.says) {
			t.Errorf("%s: %q, %v; want %q with %q", c.image, renga.KindOf(err), err, c.kind, c.says)
		}
	}
}
