package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"renga"
)

const (
	someDigest     = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndexType   = "application/vnd.oci.image.index.v1+json"
)

// raw is a stored image's manifest as JSON that a test may spoil.
func (w *fixture) raw(t testing.TB, img v1.Image) map[string]any {
	t.Helper()
	w.push(t, "hello/web:stored", img)
	body, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// putRaw sends whatever it is to the release tag.
func (w *fixture) putRaw(t testing.TB, mediaType string, doc any) (*http.Response, string) {
	t.Helper()
	body, ok := doc.(string)
	if !ok {
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	return w.do(t, "alice-token", "PUT", "/v2/hello/web/manifests/latest", http.Header{"Content-Type": {mediaType}},
		[]byte(body))
}

func layersOf(doc map[string]any) []any { return doc["layers"].([]any) }

func TestAClientsFaultIsToldWithItsReason(t *testing.T) {
	foreign := func(urls ...string) func(map[string]any) {
		return func(doc map[string]any) {
			l := layersOf(doc)[0].(map[string]any)
			l["mediaType"], l["urls"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls
		}
	}
	layer := func(key string, value any) func(map[string]any) {
		return func(doc map[string]any) { layersOf(doc)[0].(map[string]any)[key] = value }
	}
	set := func(key string, value any) func(map[string]any) {
		return func(doc map[string]any) { doc[key] = value }
	}
	for what, row := range map[string]struct {
		mediaType string
		spoil     func(map[string]any)
		code      string
		says      string
	}{
		"foreign layer without URLs": {
			dockerManifest, foreign(), "MANIFEST_INVALID", "layer 1 is a foreign one and has no URLs",
		},
		"foreign layer by ftp": {
			dockerManifest, foreign("ftp://example.com/x"), "MANIFEST_INVALID", "a URL of its layer 1",
		},
		"foreign layer": {dockerManifest, foreign("https://example.com/x"), "DENIED", "is kept elsewhere"},
		"schema 1 by its type": {
			"application/vnd.docker.distribution.manifest.v1+prettyjws", set("schemaVersion", 1), "MANIFEST_INVALID", "schema 1",
		},
		"schema 1 by its version": {dockerManifest, set("schemaVersion", 1), "MANIFEST_INVALID", "schema 1"},
		"schema 3":                {dockerManifest, set("schemaVersion", 3), "MANIFEST_INVALID", "schemaVersion is 3"},
		"schema of another type": {
			dockerManifest, set("schemaVersion", "2"), "MANIFEST_INVALID", "schemaVersion is of the wrong type",
		},
		"layers of another type": {dockerManifest, set("layers", "x"), "MANIFEST_INVALID", "layers is of the wrong type"},
		"short digest": {
			dockerManifest, layer("digest", "sha256:1234"), "MANIFEST_INVALID", `the digest \"sha256:1234\" of its layer 1`,
		},
		"digest of another kind": {
			dockerManifest, layer("digest", "md5:d41d8cd98f00b204e9800998ecf8427e"), "MANIFEST_INVALID", "unsupported digest",
		},
		"no digest":                 {dockerManifest, layer("digest", ""), "MANIFEST_INVALID", "of its layer 1"},
		"negative size":             {dockerManifest, layer("size", -1), "MANIFEST_INVALID", "the size of its layer 1 is -1"},
		"no config":                 {dockerManifest, set("config", nil), "MANIFEST_INVALID", "it has no config"},
		"empty config":              {dockerManifest, set("config", map[string]any{}), "MANIFEST_INVALID", "of its config 1"},
		"a layer that is not there": {dockerManifest, layer("digest", someDigest), "MANIFEST_BLOB_UNKNOWN", ""},
		"index with a bad digest": {
			ociIndexType, set("manifests", []any{map[string]any{"digest": "x"}}), "MANIFEST_INVALID", "of its image 1",
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t)
			doc := w.raw(t, image(t))
			row.spoil(doc)
			res, body := w.putRaw(t, row.mediaType, doc)
			if res.StatusCode/100 != 4 || ociCode(t, body) != row.code || !strings.Contains(body, row.says) {
				t.Errorf("%d %s, want %s: %s", res.StatusCode, body, row.code, row.says)
			}
			if w.tagOf(t, "hello/web:latest") != "" || len(w.released()) != 0 {
				t.Error("tagged or released")
			}
		})
	}
}

// TestNoManifestIsAFaultOfOurs spoils a good manifest in every place in many
// ways: whatever comes, it is the client's.
func TestNoManifestIsAFaultOfOurs(t *testing.T) {
	w := newFixture(t)
	good := w.raw(t, mutate.MediaType(image(t), types.OCIManifestSchema1))
	tried := 0
	for _, mediaType := range []string{
		dockerManifest, ociManifest, ociIndexType, "application/vnd.docker.distribution.manifest.list.v2+json", "",
		"text/plain; q=\"", "application/json",
	} {
		for _, spoilt := range spoil(good) {
			for _, ref := range []string{"latest", "other"} {
				res, body := w.do(t, "alice-token", "PUT", "/v2/hello/web/manifests/"+ref, http.Header{"Content-Type": {mediaType}},
					[]byte(spoilt))
				if tried++; res.StatusCode >= 500 {
					t.Errorf("%s as %s at %s: %d %s", spoilt, mediaType, ref, res.StatusCode, body)
				}
				if res.StatusCode == http.StatusCreated && ref == "latest" && len(w.released()) == 0 &&
					res.Header.Get("Warning") == "" {
					t.Errorf("%s as %s: acknowledged, not released, and no word", spoilt, mediaType)
				}
			}
			w.mu.Lock()
			w.pushes = nil
			w.mu.Unlock()
		}
	}
	if tried < 1000 {
		t.Errorf("only %d manifests were tried", tried)
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a panic is in the log")
	}
}

// spoil puts every sort of wrong value into every place of a document, one at a
// time.
func spoil(doc map[string]any) []string {
	all := []string{
		"", "null", "[]", "{}", `"x"`, "{", "\x00", `{"schemaVersion":2}`, `{"schemaVersion":2,"manifests":null}`,
	}
	wrong := []any{
		nil, "", "x", -1, 1 << 40, 1.5, true, []any{}, []any{nil}, map[string]any{}, map[string]any{"os": "unknown"},
		"../../x", "sha512:" + strings.Repeat("0", 128), someDigest, strings.Repeat("x", 3000),
	}
	var walk func(at any)
	emit := func() {
		raw, err := json.Marshal(doc)
		if err != nil {
			panic(err) // made of literals
		}
		all = append(all, string(raw))
	}
	walk = func(at any) {
		switch at := at.(type) {
		case map[string]any:
			for key, was := range at {
				for _, w := range wrong {
					at[key] = w
					emit()
				}
				delete(at, key)
				emit()
				at[key] = was
				walk(was)
			}
			for _, key := range []string{"artifactType", "subject", "annotations", "platform", "urls", "manifests"} {
				if _, has := at[key]; !has {
					at[key] = map[string]any{"x": "y"}
					emit()
					delete(at, key)
				}
			}
		case []any:
			for i, was := range at[:min(len(at), 1)] {
				for _, w := range wrong {
					at[i] = w
					emit()
				}
				at[i] = was
				walk(was)
			}
		}
	}
	walk(doc)
	return all
}

// TestNoRequestIsAFaultOfOurs asks for what no client asks for.
func TestNoRequestIsAFaultOfOurs(t *testing.T) {
	w := newFixture(t)
	w.push(t, "hello/web:latest", image(t))
	start := func() string {
		res, body := w.do(t, "alice-token", "POST", "/v2/hello/web/blobs/uploads/", nil, nil)
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("begin an upload: %d %s", res.StatusCode, body)
		}
		return res.Header.Get("Location")
	}
	long := "sha512:" + strings.Repeat("0", 128)
	calls := []string{
		"GET /v2/hello/web/tags/list?n=-1", "GET /v2/hello/web/tags/list?n=x",
		"GET /v2/hello/web/tags/list?n=99999999999999999999", "GET /v2/hello/web/tags/list?last=%00",
		"GET /v2/hello/web/manifests/" + long, "HEAD /v2/hello/web/manifests/" + long, "GET /v2/hello/web/blobs/" + long,
		"HEAD /v2/hello/web/blobs/" + long,
		"GET /v2/hello/web/manifests/md5:d41d8cd98f00b204e9800998ecf8427e",
		"PUT /v2/hello/web/manifests/md5:d41d8cd98f00b204e9800998ecf8427e", "PUT /v2/hello/web/manifests/" + long,
		"GET /v2/hello/web/referrers/" + long, "GET /v2/hello/web/referrers/" + someDigest,
		"GET /v2/hello/web/referrers/md5:d41d8cd98f00b204e9800998ecf8427e",
		"DELETE /v2/hello/web/manifests/none", "GET /v2/hello/web/manifests/none", "GET /v2/hello/clock/tags/list",
		"POST /v2/hello/web/blobs/uploads/?mount=x&from=hello/web",
		"POST /v2/hello/web/blobs/uploads/?mount=" + long + "&from=hello/web",
		"POST /v2/hello/web/blobs/uploads/?mount=" + someDigest + "&from=hello/web",
		"POST /v2/hello/web/blobs/uploads/?mount=&from=", "POST /v2/hello/web/blobs/uploads/?digest=x",
		"POST /v2/hello/web/blobs/uploads/?digest=" + someDigest, "POST /v2/hello/web/blobs/uploads/?digest-algorithm=md5",
	}
	for _, query := range []string{
		"", "&digest=", "&digest=x", "&digest=md5:d41d8cd98f00b204e9800998ecf8427e", "&digest=" + someDigest,
		"&digest=" + long,
	} {
		calls = append(calls, "PUT "+start()+query, "PUT "+strings.Split(start(), "?")[0]+"?"+strings.TrimPrefix(query, "&"),
			"PUT "+start()+"x"+query)
	}
	for _, method := range []string{"PATCH", "GET", "HEAD", "DELETE"} {
		calls = append(calls, method+" "+strings.Split(start(), "?")[0], method+" "+start()+"x",
			method+" /v2/hello/web/blobs/uploads/01234567-89ab-cdef-0123-456789abcdef")
	}
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		path = strings.TrimPrefix(path, "http://"+w.host)
		for _, header := range []http.Header{
			{}, {"Content-Range": {"x"}}, {"Content-Range": {"9-1"}}, {"Content-Range": {"5-9"}, "Range": {"bytes=9-1"}},
		} {
			res, body := w.do(t, "alice-token", method, path, header, []byte("some bytes"))
			if res.StatusCode >= 500 {
				t.Errorf("%s with %v: %d %s", call, header, res.StatusCode, body)
			}
		}
	}
}

// TestWhatIsStoredUnreleasedSaysSo: at the release tag every 201 is a release or
// a word.
func TestWhatIsStoredUnreleasedSaysSo(t *testing.T) {
	chart := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		"application/vnd.cncf.helm.config.v1+json")
	plugin := mutate.ConfigMediaType(image(t), "application/vnd.docker.plugin.v1+json")
	for what, thing := range map[string]v1.Image{"chart": chart, "attestation": attestation(t), "plugin": plugin} {
		w := newFixture(t)
		w.push(t, "hello/web:stored", thing)
		res, body := w.put(t, "hello/web", thing)
		if res.StatusCode != http.StatusCreated || !strings.Contains(res.Header.Get("Warning"), "not released") {
			t.Errorf("%s: %d %s, warning %q", what, res.StatusCode, body, res.Header.Get("Warning"))
		}
	}
	w := newFixture(t)
	res, body := w.putRaw(t, ociIndexType, map[string]any{
		"schemaVersion": 2, "mediaType": ociIndexType, "manifests": []any{},
	})
	if res.StatusCode != http.StatusCreated || !strings.Contains(res.Header.Get("Warning"), "not released") {
		t.Errorf("empty index: %d %s, warning %q", res.StatusCode, body, res.Header.Get("Warning"))
	}
}

// TestImagesAreKnownByWhatDockerRuns: a config may leave half of its platform
// open, name it as tools do, or be of a type that only old clients write.
func TestImagesAreKnownByWhatDockerRuns(t *testing.T) {
	platform := func(os, arch string) v1.Image {
		return image(t, func(c *v1.ConfigFile) { c.OS, c.Architecture = os, arch })
	}
	images := map[string]v1.Image{
		"no os": platform("", "amd64"), "no architecture": platform("linux", ""), "neither": platform("", ""),
		"x86_64": platform("linux", "x86_64"), "upper case": platform("Linux", "AMD64"),
	}
	for _, configType := range []types.MediaType{"application/octet-stream", "application/json", "text/html"} {
		images["config of type "+string(configType)] = mutate.ConfigMediaType(image(t), configType)
	}
	for what, img := range images {
		w := newFixture(t)
		w.push(t, "hello/web:latest", img)
		got := w.released()
		if len(got) != 1 || got[0].Images[renga.Web].Digest != digestOf(t, img) {
			t.Errorf("%s: released %+v", what, got)
		}
	}
	w := newFixture(t)
	doc := w.raw(t, image(t))
	delete(doc["config"].(map[string]any), "mediaType")
	if res, body := w.putRaw(t, dockerManifest, doc); res.StatusCode != http.StatusCreated || len(w.released()) != 1 {
		t.Errorf("config without a type: %d %s, %d releases", res.StatusCode, body, len(w.released()))
	}
	w = newFixture(t)
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), platform("", "arm64"), as("alice-token")...),
		http.StatusForbidden, "This image is for linux/arm64")
	wantRefusal(t, remote.Write(w.ref(t, "hello/web:latest"), platform("Windows", ""), as("alice-token")...),
		http.StatusForbidden, "This image is for windows/amd64")
}

func TestEmptyEntrypointIsNone(t *testing.T) {
	for _, cmd := range [][]string{{"/app", "serve"}, nil} {
		w := newFixture(t)
		img := image(t, func(c *v1.ConfigFile) { c.Config.Entrypoint, c.Config.Cmd = []string{""}, cmd })
		err := remote.Write(w.ref(t, "hello/web:latest"), img, as("alice-token")...)
		if cmd == nil {
			wantRefusal(t, err, http.StatusForbidden, "This image has no command")
			continue
		}
		if err != nil || !slices.Equal(w.released()[0].Images[renga.Web].Command, cmd) {
			t.Errorf("%v, released %+v", err, w.released())
		}
	}
}

// TestASparseIndexIsTakenWhenOursIsThere: tools copy one platform of an index
// and keep the index as it is.
func TestASparseIndexIsTakenWhenOursIsThere(t *testing.T) {
	entry := func(img v1.Image, arch string) map[string]any {
		raw, err := img.RawManifest()
		if err != nil {
			t.Fatal(err)
		}
		e := map[string]any{"mediaType": dockerManifest, "digest": digestOf(t, img), "size": len(raw)}
		if arch != "" {
			e["platform"] = map[string]any{"os": "linux", "architecture": arch}
		}
		return e
	}
	for what, row := range map[string]struct {
		here, gone string // architectures; empty for an entry that says nothing
		status     int
		says       string
	}{
		"ours is there":               {"amd64", "arm64", http.StatusCreated, ""},
		"ours by another name":        {"x86_64", "aarch64", http.StatusCreated, ""},
		"ours beside one of whatever": {"amd64", "", http.StatusCreated, ""},
		"ours was not pushed":         {"arm64", "amd64", http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN"},
		"what was not pushed":         {"arm64", "", http.StatusBadRequest, "not complete"},
		"none is ours":                {"arm64", "s390x", http.StatusForbidden, "This image is for linux/arm64, linux/s390x"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newFixture(t)
			here := image(t)
			w.push(t, "hello/web:here", here)
			index := map[string]any{
				"schemaVersion": 2, "mediaType": ociIndexType, "manifests": []any{entry(image(t), row.gone), entry(here, row.here)},
			}
			res, body := w.putRaw(t, ociIndexType, index)
			if res.StatusCode != row.status || !strings.Contains(body, row.says) {
				t.Fatalf("%d %s, want %d %s", res.StatusCode, body, row.status, row.says)
			}
			tag, releases := w.tagOf(t, "hello/web:latest"), w.released()
			if row.status != http.StatusCreated {
				if tag != "" || len(releases) != 0 {
					t.Errorf("tagged %q, %d releases", tag, len(releases))
				}
				return
			}
			if len(releases) != 1 || releases[0].Images[renga.Web].Digest != digestOf(t, here) || tag == "" {
				t.Errorf("released %+v, tagged %q", releases, tag)
			}
		})
	}
}

// TestDockerPullsWhatASparseIndexReleased runs it on the engine.
func TestDockerPullsWhatASparseIndexReleased(t *testing.T) {
	w, d := newFixture(t), docker{t.TempDir()}
	d.must(t, "alice-token", "login", "-u", "_", "--password-stdin", w.host)
	img := image(t, func(c *v1.ConfigFile) { c.OS = "" })
	w.push(t, "hello/web:here", img)
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf(
		`{"schemaVersion":2,"mediaType":%q,"manifests":[`+
			`{"mediaType":%q,"digest":%q,"size":7,"platform":{"os":"linux","architecture":"arm64"}},`+
			`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":"amd64"}}]}`,
		ociIndexType, dockerManifest, someDigest, dockerManifest, digestOf(t, img), len(raw))
	if res, body := w.putRaw(t, ociIndexType, index); res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	byDigest := w.host + "/hello/web@" + w.released()[0].Images[renga.Web].Digest
	d.must(t, "", "pull", byDigest)
	d.must(t, "", "rmi", byDigest)
	if !bytes.Contains(raw, []byte(w.released()[0].Images[renga.Web].Config)) {
		t.Errorf("released %+v", w.released())
	}
}
