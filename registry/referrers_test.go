package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	orasremote "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"renga"
)

const (
	sbomType      = "application/spdx+json"
	signatureType = "application/vnd.dev.cosign.artifact.sig.v1+json"
)

// orasRepository is a repository as the library of oras opens it.
func (w *fixture) orasRepository(t *testing.T, name string) *orasremote.Repository {
	t.Helper()
	repo, err := orasremote.NewRepository(w.host + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	repo.PlainHTTP = true
	repo.Client = &auth.Client{Credential: auth.StaticCredential(w.host, auth.Credential{Username: "_", Password: "alice-token"})}
	return repo
}

// attachSBOM does what `oras attach` does, and gives the digest.
func (w *fixture) attachSBOM(t *testing.T, name string, subject ocispec.Descriptor, text string) string {
	t.Helper()
	ctx, here := t.Context(), memory.New()
	layer, err := oras.PushBytes(ctx, here, sbomType, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	root, err := oras.PackManifest(ctx, here, oras.PackManifestVersion1_1, sbomType, oras.PackManifestOptions{
		Subject: &subject, Layers: []ocispec.Descriptor{layer}, ManifestAnnotations: map[string]string{"text": text},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := oras.CopyGraph(ctx, here, w.orasRepository(t, name), root, oras.DefaultCopyGraphOptions); err != nil {
		t.Fatal(err)
	}
	return root.Digest.String()
}

// sign does what cosign does: its signatures have configs of a type of their own.
func (w *fixture) sign(t *testing.T, name string, subject v1.Descriptor) string {
	t.Helper()
	layer := static.NewLayer([]byte(`{"critical":{}}`), "application/vnd.dev.cosign.simplesigning.v1+json")
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: layer})
	if err != nil {
		t.Fatal(err)
	}
	signature, ok := mutate.Subject(mutate.ConfigMediaType(img, signatureType), subject).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	dgst := digestOf(t, signature)
	if err := remote.Write(w.ref(t, name+"@"+dgst), signature, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	return dgst
}

// referrersOf are the types of what refers to a digest, by digest, as oras finds them.
func (w *fixture) referrersOf(t *testing.T, name, dgst, kind string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := w.orasRepository(t, name).Referrers(t.Context(), ocispec.Descriptor{Digest: digest.Digest(dgst)}, kind,
		func(page []ocispec.Descriptor) error {
			for _, d := range page {
				found[d.Digest.String()] = d.ArtifactType
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func describe(t *testing.T, img v1.Image) (v1.Descriptor, ocispec.Descriptor) {
	t.Helper()
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return v1.Descriptor{MediaType: mediaType, Digest: hash, Size: int64(len(raw))},
		ocispec.Descriptor{MediaType: string(mediaType), Digest: digest.Digest(hash.String()), Size: int64(len(raw))}
}

// What is attached to an image is found by it, makes no release, and stays as long as
// the image does: while a release runs it, though no tag names it any more.
func TestSignaturesAndSBOMsStayWithTheirImage(t *testing.T) {
	f := newCollectFixture(t, time.Hour, 0)
	var images []v1.Image
	attached := map[string]map[string]string{}
	for range 4 { // of which two are kept
		img := image(t)
		images = append(images, img)
		f.push(t, "hello/web:latest", img)
		ggcr, oci := describe(t, img)
		sbom := f.attachSBOM(t, "hello/web", oci, "bill of "+oci.Digest.String())
		attached[oci.Digest.String()] = map[string]string{
			sbom: sbomType, f.sign(t, "hello/web", ggcr): signatureType,
			// what refers to what refers to it
		}
		f.attachSBOM(t, "hello/web", ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(sbom), Size: 1,
		}, "about "+sbom)
	}
	if n := len(f.store.versions("app-hello")); n != len(images) {
		t.Errorf("%d releases of %d images", n, len(images))
	}
	f.ahead = 48 * time.Hour
	if _, err := f.collector.Collect(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		dgst := digestOf(t, img)
		got, want := f.referrersOf(t, "hello/web", dgst, ""), attached[dgst]
		if i < 2 {
			want = map[string]string{}
		}
		if !maps.Equal(got, want) {
			t.Errorf("image %d is referred to by %v, want %v", i, got, want)
		}
		for referrer, kind := range want {
			if only := f.referrersOf(t, "hello/web", dgst, kind); !maps.Equal(only, map[string]string{referrer: kind}) {
				t.Errorf("referrers of type %s: %v", kind, only)
			}
			if kind == sbomType && len(f.referrersOf(t, "hello/web", referrer, "")) != 1 {
				t.Error("what refers to a referrer has gone")
			}
		}
	}
	if left := f.entries(t, "hello/web"); len(left) != 6 {
		t.Errorf("%d entries are left: %v", len(left), left)
	}
}

// entries are the files of the list of referrers.
func (w *fixture) entries(t *testing.T, name string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(w.options.Dir, "docker/registry/v2/repositories", name, "_referrers/sha256/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A repository from before there was a list of referrers gets one.
func TestReferrersThatWerePushedBeforeAreFound(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	w.push(t, "hello/web:v1", img)
	ggcr, oci := describe(t, img)
	want := []string{w.sign(t, "hello/web", ggcr)}
	if err := os.RemoveAll(filepath.Join(w.options.Dir, "docker/registry/v2/repositories/hello/web/_referrers")); err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(w.referrersOf(t, "hello/web", oci.Digest.String(), ""))); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// artifact is a manifest without layers that refers to a subject.
func artifact(subject string, annotations map[string]string) []byte {
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "artifactType": "application/x-test",
		"config": ocispec.DescriptorEmptyJSON, "layers": []any{}, "annotations": annotations,
		"subject": map[string]any{"mediaType": ocispec.MediaTypeImageManifest, "digest": subject, "size": 1},
	})
	if err != nil {
		panic(err)
	}
	return raw
}

func (w *fixture) putArtifact(t *testing.T, repository string, body []byte) (*http.Response, string) {
	t.Helper()
	return w.do(t, "alice-token", "PUT", "/v2/"+repository+"/manifests/"+digest.FromBytes(body).String(),
		http.Header{"Content-Type": {ocispec.MediaTypeImageManifest}}, body)
}

// A list that would be endless comes in pages, whatever the referrers say of
// themselves; and a referrer that is refused is not in it.
func TestAListOfReferrersIsBounded(t *testing.T) {
	w := newFixture(t)
	subject := digest.FromString("not here").String()
	if res, body := w.putArtifact(t, "hello/web", artifact(subject, nil)); res.StatusCode != http.StatusNotFound &&
		res.StatusCode != http.StatusBadRequest {
		t.Fatalf("a referrer without its config: %d %s", res.StatusCode, body)
	}
	if left := w.entries(t, "hello/web"); len(left) != 0 {
		t.Errorf("one that was refused leaves %v", left)
	}
	w.upload(t, "hello/web", []byte("{}"))
	const n = 6
	for i := range n {
		big := map[string]string{"n": fmt.Sprint(i), "big": strings.Repeat("x", 2<<20)}
		if res, body := w.putArtifact(t, "hello/web", artifact(subject, big)); res.StatusCode != http.StatusCreated ||
			res.Header.Get("OCI-Subject") != subject {
			t.Fatalf("%d %s, OCI-Subject %q", res.StatusCode, body, res.Header.Get("OCI-Subject"))
		}
	}
	at, pages, found := "/v2/hello/web/referrers/"+subject+"?artifactType=application/x-test", 0, 0
	for at != "" {
		res, body := w.do(t, "alice-token", "GET", at, nil, nil)
		var page ocispec.Index
		if err := json.Unmarshal([]byte(body), &page); err != nil || res.StatusCode != http.StatusOK || len(body) > 9<<20 {
			t.Fatalf("%d, %d bytes, %v", res.StatusCode, len(body), err)
		}
		pages, found = pages+1, found+len(page.Manifests)
		at, _, _ = strings.Cut(strings.TrimPrefix(res.Header.Get("Link"), "<"), ">")
	}
	if found != n || pages < 2 {
		t.Errorf("%d referrers on %d pages", found, pages)
	}
	if got := w.referrersOf(t, "hello/web", subject, "application/x-other"); len(got) != 0 {
		t.Errorf("of another type: %v", got)
	}
}

// upload stores a blob with one POST, as the specification allows.
func (w *fixture) upload(t *testing.T, repository string, content []byte) string {
	t.Helper()
	dgst := digest.FromBytes(content).String()
	res, body := w.do(t, "alice-token", "POST", "/v2/"+repository+"/blobs/uploads/?digest="+dgst, nil, content)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Docker-Content-Digest") != dgst {
		t.Fatalf("upload: %d %s", res.StatusCode, body)
	}
	return dgst
}

func TestAnUploadInOnePost(t *testing.T) {
	w := newFixture(t)
	dgst := w.upload(t, "hello/web", []byte("content"))
	if _, got := w.do(t, "alice-token", "GET", "/v2/hello/web/blobs/"+dgst, nil, nil); got != "content" {
		t.Errorf("got %q", got)
	}
	res, body := w.do(t, "alice-token", "POST", "/v2/hello/web/blobs/uploads/?digest="+digest.FromString("other").String(), nil,
		[]byte("content"))
	if res.StatusCode != http.StatusBadRequest || ociCode(t, body) != "DIGEST_INVALID" {
		t.Errorf("of another digest: %d %s", res.StatusCode, body)
	}
	left, err := filepath.Glob(filepath.Join(w.options.Dir, "docker/registry/v2/repositories/hello/web/_uploads/*"))
	if err != nil || len(left) != 0 {
		t.Errorf("uploads that nobody knows are left: %v, %v", left, err)
	}
}

// A mount that names no source finds what the same app has, and nothing of others.
func TestAMountWithoutASource(t *testing.T) {
	w := newFixture(t)
	w.set(renga.App{ID: "app-second", Name: "second", Owner: "alice"})
	dgst := w.upload(t, "hello/worker", []byte("content"))
	for repository, status := range map[string]int{"hello/web": http.StatusCreated, "second/web": http.StatusAccepted} {
		res, body := w.do(t, "alice-token", "POST", "/v2/"+repository+"/blobs/uploads/?mount="+dgst, nil, nil)
		if res.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", repository, res.StatusCode, body, status)
		}
	}
}

func TestDeletingManifestsAndBlobs(t *testing.T) {
	f := newCollectFixture(t, time.Hour, 0)
	img := image(t)
	f.push(t, "hello/web:latest", img)
	f.push(t, "hello/web:v1", img)
	ggcr, _ := describe(t, img)
	signature := f.sign(t, "hello/web", ggcr)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	manifest, blob := "/v2/hello/web/manifests/"+ggcr.Digest.String(), "/v2/hello/web/blobs/"+digestOf(t, layers[0])
	for _, step := range []struct {
		what, method, path string
		status             int
	}{
		{"a layer that an image needs", "DELETE", blob, http.StatusForbidden},
		{"an image with its tags", "DELETE", manifest, http.StatusAccepted},
		{"its first tag", "GET", "/v2/hello/web/manifests/v1", http.StatusNotFound},
		{"its digest", "GET", manifest, http.StatusNotFound},
		{"twice", "DELETE", manifest, http.StatusNotFound},
		{"its signature stays until it is collected", "GET", "/v2/hello/web/manifests/" + signature, http.StatusOK},
		{"the layer", "DELETE", blob, http.StatusAccepted},
		{"the layer, gone", "GET", blob, http.StatusNotFound},
		{"the layer, twice", "DELETE", blob, http.StatusNotFound},
		{"what the release runs", "GET", strings.Replace(manifest, "/web/", "/releases/", 1), http.StatusOK},
		{"a layer of what the release runs", "GET", strings.Replace(blob, "/web/", "/releases/", 1), http.StatusOK},
		{"of a release", "DELETE", strings.Replace(manifest, "/web/", "/releases/", 1), http.StatusForbidden},
		{"a signature", "DELETE", "/v2/hello/web/manifests/" + signature, http.StatusAccepted},
	} {
		if res, body := f.do(t, "alice-token", step.method, step.path, nil, nil); res.StatusCode != step.status {
			t.Errorf("%s: %d %s, want %d", step.what, res.StatusCode, body, step.status)
		}
	}
	if left := f.entries(t, "hello/web"); len(left) != 0 {
		t.Errorf("referrers are left: %v", left)
	}
	// It can be pushed again, and is.
	f.push(t, "hello/web:latest", img)
	if got := f.tagOf(t, "hello/web:latest"); got != ggcr.Digest.String() {
		t.Errorf("after a push the tag names %q", got)
	}
	if !bytes.Contains([]byte(f.log.String()), []byte(`action="manifest deleted"`)) {
		t.Error("the audit log does not tell of it")
	}
}

// An index keeps what it names.
func TestDeletingAPartOfAnIndex(t *testing.T) {
	w := newFixture(t)
	img := image(t)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img})
	if err := remote.WriteIndex(w.ref(t, "hello/web:many"), index, as("alice-token")...); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		dgst   string
		status int
	}{
		{digestOf(t, img), http.StatusForbidden}, {digestOf(t, index), http.StatusAccepted},
		{digestOf(t, img), http.StatusAccepted},
	} {
		res, body := w.do(t, "alice-token", "DELETE", "/v2/hello/web/manifests/"+step.dgst, nil, nil)
		if res.StatusCode != step.status {
			t.Errorf("%d %s, want %d", res.StatusCode, body, step.status)
		}
	}
}
