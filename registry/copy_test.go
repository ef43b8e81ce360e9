package registry_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
	"renga/egress"
	"renga/registry"
)

// otherRegistry is another registry. It counts what is asked of it, and change may
// answer in its place.
type otherRegistry struct {
	host   string
	mu     sync.Mutex
	asked  map[string]int // by method and path
	change func(w http.ResponseWriter, r *http.Request) bool
}

func newOther(t *testing.T) *otherRegistry {
	t.Helper()
	o := &otherRegistry{asked: map[string]int{}}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.asked[r.Method+" "+r.URL.Path]++
		change := o.change
		o.mu.Unlock()
		if change == nil || !change(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	o.host = strings.TrimPrefix(srv.URL, "http://")
	return o
}

func (o *otherRegistry) set(change func(w http.ResponseWriter, r *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.change, o.asked = change, map[string]int{}
}

func (o *otherRegistry) blobsAsked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for what, times := range o.asked {
		if strings.HasPrefix(what, "GET ") && strings.Contains(what, "/blobs/") {
			n += times
		}
	}
	return n
}

func (o *otherRegistry) push(t *testing.T, repository string, thing remote.Taggable) renga.ImageRef {
	t.Helper()
	ref, err := name.ParseReference(o.host + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Push(ref, thing); err != nil {
		t.Fatal(err)
	}
	got, err := renga.ParseImageRef(ref.Name())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// loopback lets copies go to this machine, as an operator may.
func loopback() registry.SourceOptions {
	return registry.SourceOptions{Dial: egress.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Dial}
}

// copyImage resolves a reference and copies what it names into hello/web.
func (w *fixture) copyImage(t *testing.T, ref renga.ImageRef, o registry.SourceOptions, change ...func(*renga.ImageCopy)) error {
	t.Helper()
	c := registry.NewCopier(w.reg, o)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	order := renga.ImageCopy{
		Push: "11111111-1111-4111-8111-111111111111", App: "app-hello", AppName: "hello", Process: "web", From: ref,
		By: renga.Account{ID: "alice"}, Progress: func(renga.ImportState, int64, int64) error { return nil },
	}
	for _, ch := range change {
		ch(&order)
	}
	if ref.Digest == "" {
		digest, err := c.Resolve(ctx, ref, order.Login)
		if err != nil {
			return err
		}
		order.From.Digest = digest
	}
	return c.Copy(ctx, order)
}

func TestACopyIsAnOrdinaryPush(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	img := image(t)
	ref := other.push(t, "acme/shop:v1", img)
	if err := w.copyImage(t, ref, loopback()); err != nil {
		t.Fatal(err)
	}
	p := w.released()
	if len(p) != 1 || p[0].Images["web"].Digest != digestOf(t, img) || p[0].By != "alice" ||
		p[0].ID != "11111111-1111-4111-8111-111111111111" {
		t.Fatalf("released %+v", p)
	}
	if w.tagOf(t, "hello/web:latest") != digestOf(t, img) || w.reg.Stats().Waiting != 0 {
		t.Error("not tagged, or an intent is left")
	}

	other.set(nil)
	next, err := random.Layer(512, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	more, err := mutate.AppendLayers(img, next)
	if err != nil {
		t.Fatal(err)
	}
	ref = other.push(t, "acme/shop:v2", more)
	other.set(nil)
	if err := w.copyImage(t, ref, loopback()); err != nil {
		t.Fatal(err)
	}
	// The config is read to learn the platform, then with the new layer it is copied.
	if n := other.blobsAsked(); n != 3 {
		t.Errorf("%d blobs were fetched, want the config twice and the new layer: %v", n, other.asked)
	}
}

func TestACopyOfAnIndexTakesThePlatformsImageOnly(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	amd, arm := image(t), image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" })
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		child(arm, "linux", "arm64"), child(amd, "linux", "amd64"), child(attestation(t), "unknown", "unknown"))
	ref := other.push(t, "acme/shop:v1", index)
	other.set(nil)
	if err := w.copyImage(t, ref, loopback()); err != nil {
		t.Fatal(err)
	}
	got := w.released()[0].Images[renga.Web]
	if got.Digest != digestOf(t, amd) || got.Pushed != digestOf(t, index) {
		t.Errorf("released %+v", got)
	}
	if n := other.asked["GET /v2/acme/shop/manifests/"+digestOf(t, arm)]; n != 0 {
		t.Error("an image for another platform was read")
	}
}

func TestACopyReleasesEvenIfPushesDoNot(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Features: map[string]bool{renga.ReleaseOnPush: false}})
	if err := w.copyImage(t, other.push(t, "acme/shop:v1", image(t)), loopback()); err != nil {
		t.Fatal(err)
	}
	if len(w.released()) != 1 {
		t.Error("not released")
	}
}

func TestACopyThatWasCutGoesOn(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	ref := other.push(t, "acme/shop:v1", image(t))
	cut := renga.Errorf(renga.Unavailable, "cut")
	err := w.copyImage(t, ref, loopback(), func(c *renga.ImageCopy) {
		c.Progress = func(_ renga.ImportState, copied, total int64) error {
			if copied < total {
				return cut
			}
			return nil
		}
	})
	if renga.KindOf(err) != renga.Unavailable || len(w.released()) != 0 || w.tagOf(t, "hello/web:latest") != "" {
		t.Fatalf("%v, %d releases", err, len(w.released()))
	}
	w.restart(t)
	other.set(nil)
	if err := w.copyImage(t, ref, loopback()); err != nil || len(w.released()) != 1 {
		t.Fatalf("%v, %d releases", err, len(w.released()))
	}
	if n := other.blobsAsked(); n > 3 { // the config to look at, and two of three blobs
		t.Errorf("%d blobs were fetched again", n)
	}
}

func TestWhatMayNotBeCopied(t *testing.T) {
	arm := image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" })
	for what, row := range map[string]struct {
		thing  remote.Taggable
		change func(*renga.ImageCopy)
		kind   renga.Kind
		says   string
	}{
		"another platform":    {thing: arm, kind: renga.Invalid, says: "This image is for linux/arm64"},
		"an attestation":      {thing: attestation(t), kind: renga.Invalid, says: "no image that an app can run"},
		"too large":           {thing: large(t), kind: renga.Invalid, says: "takes up to 64.0 KiB"},
		"a bomb of manifests": {thing: bomb(t), kind: renga.Invalid, says: "names more than 64"},
		"somebody who may only look": {thing: image(t), kind: renga.Forbidden, says: "permission",
			change: func(c *renga.ImageCopy) { c.By.ID = "carol" }},
		"a stranger": {thing: image(t), kind: renga.Forbidden, says: "do not have access",
			change: func(c *renga.ImageCopy) { c.By.ID = "bob" }},
		"no such digest": {thing: image(t), kind: renga.NotFound, says: "does not have this image",
			change: func(c *renga.ImageCopy) { c.From.Digest = "sha256:" + strings.Repeat("0", 64) }},
	} {
		t.Run(what, func(t *testing.T) {
			w, other := newFixture(t, func(o *registry.Options) { o.MaxImageBytes = 64 << 10 }), newOther(t)
			w.set(renga.App{ID: "app-hello", Name: "hello", Owner: "alice", Collaborators: map[renga.AccountID]renga.Collaborator{
				"carol": {Account: "carol", Permissions: []renga.Permission{renga.MayView}},
			}})
			ref := other.push(t, "acme/shop:v1", row.thing)
			change := func(*renga.ImageCopy) {}
			if row.change != nil {
				change = row.change
				d, err := registry.NewCopier(w.reg, loopback()).Resolve(t.Context(), ref, renga.SourceLogin{})
				if err != nil {
					t.Fatal(err)
				}
				ref.Digest = d
			}
			err := w.copyImage(t, ref, loopback(), change)
			if renga.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v (%s), want %s with %q", err, renga.KindOf(err), row.kind, row.says)
			}
			if len(w.released()) != 0 || w.tagOf(t, "hello/web:latest") != "" {
				t.Error("released or tagged")
			}
		})
	}
}

// bomb is an index of very many indexes.
func bomb(t *testing.T) v1.ImageIndex {
	t.Helper()
	var all []mutate.IndexAddendum
	for i := range 100 {
		inner := mutate.Annotations(empty.Index, map[string]string{"n": fmt.Sprint(i)}).(v1.ImageIndex)
		all = append(all, mutate.IndexAddendum{Add: inner})
	}
	return mutate.AppendManifests(empty.Index, all...)
}

func TestSourcesThatLie(t *testing.T) {
	for what, row := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		kind   renga.Kind
		says   string
	}{
		"an endless blob": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, renga.Invalid, "larger than"},
		"a short blob": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }, renga.Invalid, "smaller than"},
		"a silent blob": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, renga.Unavailable, ""},
		"a redirect into the metadata service": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/latest", http.StatusTemporaryRedirect)
		}, renga.Forbidden, "private network"},
		"a redirect without TLS": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://files.example/blob", http.StatusTemporaryRedirect)
		}, renga.Forbidden, "without TLS"},
		"redirects without end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, renga.Unavailable, "could not be reached"},
		"too many requests": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
		}, renga.TooMany, "too often"},
	} {
		t.Run(what, func(t *testing.T) {
			w, other := newFixture(t), newOther(t)
			img := image(t)
			ref := other.push(t, "acme/shop:v1", img)
			config, err := img.ConfigName()
			if err != nil {
				t.Fatal(err)
			}
			other.set(func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") || strings.HasSuffix(r.URL.Path, config.String()) {
					return false
				}
				row.answer(rw, r)
				return true
			})
			o := loopback()
			o.IdleTimeout = 300 * time.Millisecond
			err = w.copyImage(t, ref, o)
			if renga.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v (%s), want %s with %q", err, renga.KindOf(err), row.kind, row.says)
			}
			if len(w.released()) != 0 || w.tagOf(t, "hello/web:latest") != "" {
				t.Error("released or tagged")
			}
		})
	}
}

func TestAWrongBlobIsNotTaken(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	img := image(t)
	ref := other.push(t, "acme/shop:v1", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	size, err := layers[0].Size()
	if err != nil {
		t.Fatal(err)
	}
	other.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/blobs/"+digestOf(t, layers[0])) {
			return false
		}
		_, _ = rw.Write(make([]byte, size))
		return true
	})
	err = w.copyImage(t, ref, loopback())
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "digest") || len(w.released()) != 0 {
		t.Errorf("%v (%s)", err, renga.KindOf(err))
	}
}

func TestCopiesReachOnlyWhatTheOperatorAllows(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	ref := other.push(t, "acme/shop:v1", image(t))
	guarded := registry.SourceOptions{Dial: egress.New(nil).Dial}
	err := w.copyImage(t, ref, guarded)
	if renga.KindOf(err) != renga.Forbidden || !strings.Contains(err.Error(), "--egress-allow") {
		t.Errorf("%v (%s)", err, renga.KindOf(err))
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if n := len(other.asked); n != 0 && other.asked["GET /v2/acme/shop/manifests/v1"] != 0 {
		t.Errorf("it was asked: %v", other.asked)
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	w := newFixture(t)
	srv := httptest.NewUnstartedServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	to := loopback()
	dial := to.Dial
	to.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, srv.Listener.Addr().String())
	}
	to.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	ref := renga.ImageRef{Host: "registry.example", Repository: "acme/shop", Tag: "v1"}
	err := w.copyImage(t, ref, to)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v (%s)", err, renga.KindOf(err))
	}
}

func TestCredentialsGoToTheirRegistryOnly(t *testing.T) {
	w, other := newFixture(t), newOther(t)
	ref := other.push(t, "acme/shop:v1", image(t))
	elsewhere := newOther(t)
	var stolen string
	elsewhere.set(func(rw http.ResponseWriter, r *http.Request) bool {
		stolen += r.Header.Get("Authorization")
		rw.WriteHeader(http.StatusNotFound)
		return true
	})
	other.set(func(rw http.ResponseWriter, r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		switch {
		case !ok || user != "acme" || password != "hunter2":
			rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			rw.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(rw, r, "http://"+elsewhere.host+"/blob", http.StatusTemporaryRedirect)
		default:
			return false
		}
		return true
	})
	err := w.copyImage(t, ref, loopback())
	if renga.KindOf(err) != renga.Forbidden || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("without credentials: %v", err)
	}
	err = w.copyImage(t, ref, loopback(), func(c *renga.ImageCopy) {
		c.Login = renga.SourceLogin{Host: other.host, Username: "acme", Password: "hunter2"}
	})
	if err == nil || stolen != "" || strings.Contains(err.Error()+w.log.String(), "hunter2") {
		t.Errorf("%v; sent elsewhere: %q", err, stolen)
	}
}
