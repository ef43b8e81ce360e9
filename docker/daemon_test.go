package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/docker"
)

func TestNewestVersionThatBothKnowIsSpoken(t *testing.T) {
	for _, c := range []struct{ offered, spoken string }{
		{"1.41", "1.41"}, {"1.44", "1.44"}, {"1.51", "1.51"}, {"1.99", "1.51"},
	} {
		d := newFake(t)
		d.offer(c.offered, "1.24")
		if c.offered == "1.99" {
			d.offer(c.offered, "1.44") // as Engine 29 does
		}
		client := newClient(t, docker.Options{Host: d.host, Platform: "p"})
		if _, err := client.List(t.Context(), docker.Dyno); err != nil {
			t.Errorf("%s: %v", c.offered, err)
		}
		if want := []string{"/_ping", "/v" + c.spoken + "/containers/json"}; !slices.Equal(d.paths(), want) {
			t.Errorf("%s: asked for %v; want %v", c.offered, d.paths(), want)
		}
	}
}

func TestDaemonThatIsTooOldIsToldToBeUpgraded(t *testing.T) {
	d := newFake(t)
	d.offer("1.40", "1.12")
	client := newClient(t, docker.Options{Host: d.host, Platform: "p"})
	_, err := client.List(t.Context(), docker.Dyno)
	for _, err := range []error{err, client.Ping(t.Context())} {
		if renga.KindOf(err) != renga.Unavailable || !strings.Contains(renga.MessageOf(err, ""), "upgrade") {
			t.Errorf("error %v of kind %q", err, renga.KindOf(err))
		}
	}
}

func TestDaemonUpgradedUnderneathIsSpokenToAnew(t *testing.T) {
	for name, notice := range map[string]func(*docker.Client) error{
		"by a refused call": func(client *docker.Client) error {
			_, err := client.List(context.Background(), docker.Dyno)
			if renga.KindOf(err) != renga.Unavailable {
				return fmt.Errorf("the refused call said %w", err)
			}
			return nil
		},
		"by a ping": func(client *docker.Client) error { return client.Ping(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newFake(t)
			d.offer("1.41", "1.12")
			client := newClient(t, docker.Options{Host: d.host, Platform: "p"})
			if _, err := client.List(t.Context(), docker.Dyno); err != nil {
				t.Fatal(err)
			}
			d.offer("1.52", "1.44")
			if err := notice(client); err != nil {
				t.Error(err)
			}
			if _, err := client.List(t.Context(), docker.Dyno); err != nil {
				t.Errorf("after the upgrade: %v", err)
			}
			if all := d.paths(); all[len(all)-1] != "/v1.51/containers/json" {
				t.Errorf("asked for %v", all)
			}
		})
	}
}

func newClient(t *testing.T, o docker.Options) *docker.Client {
	t.Helper()
	c, err := docker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fake is a daemon that knows its versions, and has no containers.
type fake struct {
	host           string
	mu             sync.Mutex
	newest, oldest string
	asked          []string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := &fake{host: "unix://" + socket}
	server := &http.Server{Handler: d, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return d
}

func (d *fake) offer(newest, oldest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest, d.oldest = newest, oldest
}

func (d *fake) paths() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func (d *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL.Path)
	w.Header().Set("Api-Version", d.newest)
	w.Header().Set("Content-Type", "application/json")
	version, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	switch {
	case r.URL.Path == "/_ping":
		return
	case minor(version) < minor(d.oldest):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"message":"client version %s is too old. Minimum supported API version is %s, `+
			`please upgrade your client to a newer version"}`, version, d.oldest)
	default:
		_, _ = io.WriteString(w, "[]")
	}
}

// minor is the second number of a version like 1.41.
func minor(version string) (n int) {
	_, _ = fmt.Sscanf(version, "1.%d", &n) // 0 when there is none
	return n
}

func TestWrongAddressIsSaidAtOnce(t *testing.T) {
	if _, err := docker.New(docker.Options{Platform: "p", Host: "nonsense"}); err == nil {
		t.Error("no error")
	}
}

func TestZstdNeedsEngine23(t *testing.T) {
	d := newFake(t)
	d.offer("1.41", "1.12")
	client := newClient(t, docker.Options{Host: d.host, Platform: "p"})
	err := client.UnpacksZstd(t.Context())
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), "Docker Engine 23.0") {
		t.Errorf("API 1.41: %v", err)
	}
	d.offer("1.42", "1.12") // it was upgraded meanwhile
	if err := client.UnpacksZstd(t.Context()); err != nil {
		t.Errorf("API 1.42: %v", err)
	}
}

func TestClientNeedsAPlatform(t *testing.T) {
	if _, err := docker.New(docker.Options{}); err == nil {
		t.Error("without a platform's id it would take everybody's containers for its own")
	}
}

func TestPoolThatIsNoPoolIsRefused(t *testing.T) {
	for _, pool := range []string{"10.0.0.0/25", "nonsense", "fd00::/8", "10.0.0.1"} {
		if _, err := docker.New(docker.Options{Platform: "p", NetworkPool: pool}); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: error %v", pool, err)
		}
	}
}
