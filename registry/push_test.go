package registry_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/klauspost/compress/zstd"

	"renga"
	"renga/registry"
)

func TestPushMakesARelease(t *testing.T) {
	oci := func(img v1.Image) v1.Image {
		return mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	for format, convert := range map[string]func(v1.Image) v1.Image{
		"schema2": func(img v1.Image) v1.Image { return img },
		"oci":     oci,
		"zstd":    func(img v1.Image) v1.Image { return zstdLayer(t, oci(img)) },
	} {
		t.Run(format, func(t *testing.T) {
			w := newFixture(t)
			img := convert(image(t))
			w.push(t, "hello/worker:latest", img)

			p := w.released()[0]
			got := p.Images["worker"]
			config, err := img.ConfigName()
			if err != nil {
				t.Fatal(err)
			}
			want := renga.Image{
				Repository: "hello/worker", Digest: digestOf(t, img), Pushed: digestOf(t, img),
				Config: config.String(), Command: []string{"/app", "serve"}, Size: layersSize(t, img),
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("released %+v, want %+v", got, want)
			}
			if p.App != "hello" || p.By != "alice" || p.ID == "" || p.At.IsZero() || len(p.Images) != 1 {
				t.Errorf("push is %+v", p)
			}
			pulled, err := remote.Image(w.ref(t, "hello/worker:latest"), as("alice-token")...)
			if err != nil {
				t.Fatal(err)
			}
			if format != "zstd" { // validate knows gzip only
				if err := validate.Image(pulled); err != nil {
					t.Errorf("pulled image: %v", err)
				}
			}
			if s := w.reg.Stats(); s.Acknowledged != 1 || s.Waiting != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestAppAloneIsItsWebProcess(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello:latest", img)
	if got := w.released()[0].Images[renga.Web].Repository; got != "hello/web" {
		t.Errorf("released from %q", got)
	}
	for _, ref := range []string{"hello:latest", "hello/web:latest"} {
		if got := w.tagOf(t, ref); got != digestOf(t, img) {
			t.Errorf("%s names %q", ref, got)
		}
	}
}

func TestOtherTagsAreStoredAndNotReleased(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:v7", image(t, func(c *v1.ConfigFile) { c.Architecture = "s390x" }))
	if n := len(w.released()); n != 0 || w.tagOf(t, "hello/web:v7") == "" {
		t.Errorf("%d releases", n)
	}
	err := remote.Write(w.ref(t, "nobody/web:v7"), image(t), as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "no app nobody")
}

func TestPushToAnUnknownAppIsForTheReleaserToMake(t *testing.T) {
	w := newFixture(t)
	w.push(t, "brand-new:latest", image(t))
	if got := w.released()[0].App; got != "brand-new" {
		t.Errorf("released for %q", got)
	}
}

func TestIndexReleasesThePlatformsImage(t *testing.T) {
	w := newFixture(t)
	amd, arm := image(t), image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" })
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		child(arm, "linux", "arm64"), child(amd, "linux", "amd64"), child(attestation(t), "unknown", "unknown"))
	if err := remote.WriteIndex(w.ref(t, "hello/web:latest"), index, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	got := w.released()[0].Images[renga.Web]
	if got.Digest != digestOf(t, amd) || got.Pushed != digestOf(t, index) {
		t.Errorf("released %+v", got)
	}
}

func TestDockerListIsAnIndexToo(t *testing.T) {
	w := newFixture(t)
	amd := image(t)
	list := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.DockerManifestList),
		child(amd, "linux", "amd64"))
	if err := remote.WriteIndex(w.ref(t, "hello/web:latest"), list, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	if got := w.released()[0].Images[renga.Web].Digest; got != digestOf(t, amd) {
		t.Errorf("released %s", got)
	}
}

func TestArtifactsAreStoredAndNotReleased(t *testing.T) {
	chart := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		"application/vnd.cncf.helm.config.v1+json")
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		child(attestation(t), "unknown", "unknown"))
	for what, thing := range map[string]remote.Taggable{
		"chart": chart, "attestation": attestation(t), "index of attestations": index, "empty index": empty.Index,
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t)
			if err := remote.Push(w.ref(t, "hello/web:latest"), thing, as("alice-token")...); err != nil {
				t.Fatal(err)
			}
			if len(w.released()) != 0 || w.tagOf(t, "hello/web:latest") == "" {
				t.Error("not stored, or released")
			}
		})
	}
}

func TestWhatCannotBeAReleaseIsRefusedAndNotTagged(t *testing.T) {
	label := func(value string) func(*v1.ConfigFile) {
		return func(c *v1.ConfigFile) { c.Config.Labels = map[string]string{"renga.processes": value} }
	}
	arm := image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" })
	for what, row := range map[string]struct {
		thing remote.Taggable
		says  string
	}{
		"another platform": {
			arm, "This image is for linux/arm64; this platform runs linux/amd64. Build it with --platform linux/amd64.",
		},
		"index without platform": {
			mutate.AppendManifests(empty.Index, child(arm, "linux", "arm64")), "This image is for linux/arm64",
		},
		"no command": {
			image(t, func(c *v1.ConfigFile) { c.Config.Entrypoint, c.Config.Cmd = nil, nil }), "no command",
		},
		"too large":                 {large(t), "this platform takes up to 64.0 KiB"},
		"label not JSON":            {image(t, label(`{"web":`)), "renga.processes cannot be used"},
		"label with a bad type":     {image(t, label(`{"Bad Name":"x"}`)), "Process type"},
		"label with a bad command":  {image(t, label(`{"web":7}`)), "the command of web"},
		"label with an empty array": {image(t, label(`{"web":[]}`)), "the command of web"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t, func(o *registry.Options) { o.MaxImageBytes = 64 << 10 })
			err := remote.Push(w.ref(t, "hello/web:latest"), row.thing, as("alice-token")...)
			wantRefusal(t, err, http.StatusForbidden, "DENIED", row.says)
			if w.tagOf(t, "hello/web:latest") != "" || len(w.released()) != 0 {
				t.Error("tagged or released")
			}
		})
	}
}

func TestLabelsDeclareProcesses(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello:latest", image(t, func(c *v1.ConfigFile) {
		c.Config.Labels = map[string]string{
			"renga.processes": `{"web":["/app","web"],"clock":"sleep 1 && tick"}`,
			"io.buildpacks.build.metadata": `{"processes":[` +
				`{"type":"worker","command":["x"],"args":[],"direct":true},{"type":"console","command":"y"}]}`,
		}
	}))
	want := map[renga.ProcessType][]string{
		"web": {"/app", "web"}, "clock": {"/bin/sh", "-c", "sleep 1 && tick"}, "worker": {"/cnb/process/worker"},
	}
	got := map[renga.ProcessType][]string{}
	for p, img := range w.released()[0].Images {
		got[p] = img.Command
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("commands %v, want %v", got, want)
	}
}

func TestMountBetweenOwnRepositoriesOnly(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:latest", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	mount := "/blobs/uploads/?mount=" + digestOf(t, layers[0]) + "&from="
	for _, row := range []struct {
		token, path string
		status      int
	}{
		{"alice-token", "/v2/hello/worker" + mount + "hello/web", http.StatusCreated},
		{"alice-token", "/v2/hello/clock" + mount + "hello", http.StatusCreated},
		{"bob-token", "/v2/other/web" + mount + "hello/web", http.StatusAccepted},
		{"bob-token", "/v2/other/web" + mount + "../hello/web", http.StatusAccepted},
		{"alice-token", "/v2/hello/worker" + mount + "nobody/web", http.StatusAccepted},
	} {
		res, body := w.do(t, row.token, "POST", row.path, nil, nil)
		if res.StatusCode != row.status {
			t.Errorf("%s: %d %s, want %d", row.path, res.StatusCode, body, row.status)
		}
	}
}

func TestConcurrentPushesToOneTagEndAlike(t *testing.T) {
	w := newFixture(t)
	const clients, rounds = 6, 8
	var g sync.WaitGroup
	for range clients {
		g.Go(func() {
			for range rounds {
				if err := remote.Write(w.ref(t, "hello/web:latest"), image(t), as("alice-token")...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	pushes := w.released()
	if len(pushes) != clients*rounds {
		t.Fatalf("%d releases for %d pushes", len(pushes), clients*rounds)
	}
	if last, tag := pushes[len(pushes)-1].Images[renga.Web].Digest, w.tagOf(t, "hello/web:latest"); last != tag {
		t.Errorf("last release is of %s, the tag names %s", last, tag)
	}
}

func TestCutPushLeavesNothingTagged(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers { // the config never comes
		if err := remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), l, as("alice-token")...); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {string(types.DockerManifestSchema2)}}
	for what, body := range map[string][]byte{
		"incomplete": raw, "cut": raw[:len(raw)/2], "empty": nil, "no manifest": []byte(`{"schemaVersion":2}`),
	} {
		res, text := w.do(t, "alice-token", "PUT", "/v2/hello/web/manifests/latest", header.Clone(), body)
		if res.StatusCode/100 != 4 {
			t.Errorf("%s: %d %s", what, res.StatusCode, text)
		}
	}
	if w.tagOf(t, "hello/web:latest") != "" || w.reg.Stats().Waiting != 0 {
		t.Error("something is left of it")
	}
}

func TestManifestOfAnUnknownTypeDoesNotSlipPastTheRelease(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:stored", img)
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	res, _ := w.do(t, "alice-token", "PUT", "/v2/hello/web/manifests/latest", http.Header{"Content-Type": {"text/plain"}},
		raw)
	if tagged := w.tagOf(t, "hello/web:latest") != ""; tagged != (len(w.released()) == 1) {
		t.Errorf("status %d, tagged %v, %d releases", res.StatusCode, tagged, len(w.released()))
	}
}

func TestTooLargeManifestIsRefused(t *testing.T) {
	w := newFixture(t)
	res, body := w.do(t, "alice-token", "PUT", "/v2/hello/web/manifests/latest", nil, bytes.Repeat([]byte(" "), 4<<20+1))
	if res.StatusCode != http.StatusRequestEntityTooLarge || ociCode(t, body) != "MANIFEST_INVALID" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestTooLargeLayerIsStoppedUnderWay(t *testing.T) {
	w := newFixture(t, func(o *registry.Options) { o.MaxImageBytes = 1 << 20 })
	layer, err := random.Layer(2<<20, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	err = remote.WriteLayer(w.ref(t, "hello/web:latest").Context(), layer, as("alice-token")...)
	wantRefusal(t, err, http.StatusForbidden, "DENIED", "larger than the platform takes")
	w.push(t, "hello/web:latest", image(t))
}

// ociImage is an image all of whose media types are OCI's.
func ociImage(t testing.TB) v1.Image {
	t.Helper()
	return mutate.ConfigMediaType(mutate.MediaType(image(t), types.OCIManifestSchema1), types.OCIConfigJSON)
}

// ociIndex is an index for two platforms.
func ociIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	arm := image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" })
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		child(arm, "linux", "arm64"), child(ociImage(t), "linux", "amd64"))
}

func child(img v1.Image, os, arch string) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch}}}
}

// attestation is what buildx adds to an index: an image that runs nowhere.
func attestation(t testing.TB) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		static.NewLayer([]byte(`{}`), "application/vnd.in-toto+json"))
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	return configured(t, img, func(c *v1.ConfigFile) { c.OS, c.Architecture = "unknown", "unknown" })
}

func large(t testing.TB) v1.Image {
	t.Helper()
	img := image(t)
	for range 3 { // each alone is small enough
		layer, err := random.Layer(40<<10, types.DockerLayer)
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func zstdLayer(t testing.TB, img v1.Image) v1.Image {
	t.Helper()
	var plain, packed bytes.Buffer
	tw := tar.NewWriter(&plain)
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	zw, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zw.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	img, err = mutate.AppendLayers(img, static.NewLayer(packed.Bytes(), "application/vnd.oci.image.layer.v1.tar+zstd"))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func layersSize(t testing.TB, img v1.Image) int64 {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, l := range m.Layers {
		sum += l.Size
	}
	return sum
}

// bigTar is an image whose one layer is a tar archive with a file of noise, as
// an engine can load it.
func bigTar(t testing.TB, size int) v1.Image {
	t.Helper()
	layer, err := random.Layer(int64(size), types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(image(t), layer)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestTheSameLayerPushedAtOnceIsStoredOnce, is there for all who pushed it, and leaves no
// upload behind.
func TestTheSameLayerPushedAtOnceIsStoredOnce(t *testing.T) {
	w, layer := newFixture(t), noise(t, 4<<20)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			at := w.ref(t, fmt.Sprintf("hello/worker%d:latest", n)).Context()
			if err := remote.WriteLayer(at, layer, as("alice-token")...); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for n := range 8 {
		path := fmt.Sprintf("/v2/hello/worker%d/blobs/%s", n, digestOf(t, layer))
		if res, body := w.do(t, "alice-token", http.MethodGet, path, nil, nil); res.StatusCode != http.StatusOK || len(body) != 4<<20 {
			t.Errorf("%s: %s, %d bytes", path, res.Status, len(body))
		}
	}
	if got := w.wantUsage(t, "the pushes")["hello"]; got.Uploads != 0 || got.Sum() != 4<<20 {
		t.Errorf("the app has %+v", got)
	}
}
