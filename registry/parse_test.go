package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"renga"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseCall(t *testing.T) {
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	for path, want := range map[string]call{
		"/v2":                        {kind: callBase},
		"/v2/":                       {kind: callBase},
		"/v2/_catalog":               {kind: callCatalog},
		"/v2/token":                  {kind: callToken},
		"/v2/hello/manifests/latest": {callManifest, "hello", "web", "latest"},
		"/v2/hello/worker/manifests/" + someDigest: {callManifest, "hello", "worker", someDigest},
		"/v2/hello/blobs/" + someDigest:            {callBlob, "hello", "web", someDigest},
		"/v2/hello/blobs/uploads":                  {callUpload, "hello", "web", ""},
		"/v2/hello/blobs/uploads/":                 {callUpload, "hello", "web", ""},
		"/v2/hello/web/blobs/uploads/" + id:        {callUpload, "hello", "web", id},
		"/v2/hello/releases/tags/list":             {callTags, "hello", "releases", ""},
		"/v2/hello/referrers/" + someDigest:        {callReferrers, "hello", "web", someDigest},
		// Names may be words of the API.
		"/v2/manifests/blobs/manifests/tags": {callManifest, "manifests", "blobs", "tags"},
		"/v2/blobs/uploads/blobs/uploads/":   {callUpload, "blobs", "uploads", ""},
		"/v2/tags/tags/list":                 {callTags, "tags", "web", ""},
	} {
		got, err := parseCall(path)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}

func TestParseCallRefuses(t *testing.T) {
	for path, status := range map[string]int{
		"/":                                               404,
		"/v1/":                                            404,
		"/v2/hello":                                       404,
		"/v2/manifests/latest":                            404,
		"/v2//manifests/latest":                           403,
		"/v2/hello//manifests/latest":                     403,
		"/v2/../hello/manifests/latest":                   403,
		"/v2/hello/../web/manifests/latest":               403,
		"/v2/hello/we b/manifests/latest":                 403,
		"/v2/hello/run/manifests/latest":                  403,
		"/v2/hello/web/x/manifests/latest":                403,
		"/v2/hello/manifests/":                            400,
		"/v2/hello/manifests/..":                          400,
		"/v2/hello/manifests/sha256:short":                400,
		"/v2/hello/blobs/latest":                          400,
		"/v2/hello/blobs/uploads/..":                      404,
		"/v2/hello/blobs/uploads/" + someDigest:           404,
		"/v2/_catalog/":                                   404,
		"/v2/token/x":                                     404,
		"/v2/hello/manifests/" + strings.Repeat("a", 129): 400,
	} {
		c, err := parseCall(path)
		if err == nil || refusalOf(err).Status != status {
			t.Errorf("%s: %+v, %v (%d), want %d", path, c, err, refusalOf(err).Status, status)
		}
	}
}

func FuzzParseCall(f *testing.F) {
	for _, seed := range []string{
		"/v2/", "/v2/hello/manifests/latest", "/v2/hello/web/blobs/" + someDigest, "/v2/hello/web/blobs/uploads/",
		"/v2/a/../b/tags/list", "/v2/%2e%2e/x", "/v2/hello/web/referrers/" + someDigest, "/v2/_catalog", "/v2//",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		c, err := parseCall(path)
		if err != nil {
			if s := refusalOf(err).Status; s < 400 || s > 499 {
				t.Fatalf("%q is answered %d", path, s)
			}
			return
		}
		if c.kind == callBase || c.kind == callCatalog || c.kind == callToken { // which name no repository
			return
		}
		if renga.ValidateAppName(c.app) != nil || (c.process != releasesPart && renga.ValidateProcessType(c.process) != nil) {
			t.Fatalf("%q let the name %q in", path, c.repository())
		}
		again, err := parseCall(c.path())
		if err != nil || again != c {
			t.Fatalf("%q became %q, which is %+v, %v", path, c.path(), again, err)
		}
		if strings.Contains(c.path(), "..") && !strings.Contains(c.ref, "..") || strings.Contains(c.path(), "//") {
			t.Fatalf("%q became the path %q", path, c.path())
		}
		for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			if c.process == releasesPart && c.allows(m) && m != http.MethodGet && !c.writes(m) {
				t.Fatalf("%s %q would not need the right to write", m, path)
			}
		}
	})
}

func FuzzCommandsOf(f *testing.F) {
	f.Add("web", `{"web":"run","worker":["a","b"]}`, `{"processes":[{"type":"web","command":["x"]}]}`, "/app")
	f.Add("web", `{"":""}`, `{}`, "")
	f.Add("worker", `[]`, `null`, "/app")
	f.Add("web", `{"web":["\u0000"]}`, `{"processes":[{"type":"../x"}]}`, "/app")
	f.Fuzz(func(t *testing.T, process, ours, cnb, entrypoint string) {
		var c imageConfig
		c.Config.Labels = map[string]string{processesLabel: ours, buildpacksLabel: cnb}
		c.Config.Entrypoint = []string{entrypoint}
		pushed := renga.ProcessType(process)
		if renga.ValidateProcessType(pushed) != nil {
			return
		}
		commands, err := commandsOf(pushed, c)
		if err != nil {
			if renga.KindOf(err) != renga.Invalid {
				t.Fatalf("kind %s: %v", renga.KindOf(err), err)
			}
			return
		}
		if len(commands) == 0 {
			t.Fatal("no process and no error")
		}
		for p, argv := range commands {
			if renga.ValidateProcessType(p) != nil || checkCommand(argv) != "" {
				t.Fatalf("declares %q: %q", p, argv)
			}
		}
	})
}

// memoryRepository is an imageSource in memory.
type memoryRepository map[string][]byte

func (s memoryRepository) put(body string) contentRef {
	d := digest.FromString(body).String()
	s[d] = []byte(body)
	return contentRef{Digest: d, Size: int64(len(body))}
}

func (s memoryRepository) manifest(_ context.Context, d string) (string, []byte, error) {
	body, ok := s[d]
	if !ok {
		return "", nil, errNotStored
	}
	var doc manifestDoc
	if err := json.Unmarshal(body, &doc); err != nil {
		return "", nil, err
	}
	return doc.MediaType, body, nil
}

func (s memoryRepository) blob(_ context.Context, d string, _ int64) ([]byte, error) {
	body, ok := s[d]
	if !ok {
		return nil, errNotStored
	}
	return body, nil
}

func (s memoryRepository) blobSize(_ context.Context, d string) (int64, error) {
	body, ok := s[d]
	if !ok {
		return 0, errNotStored
	}
	return int64(len(body)), nil
}

// image puts an image for that platform and gives its descriptor.
func (s memoryRepository) image(t testing.TB, os, arch, variant string) contentRef {
	t.Helper()
	config := s.put(`{"os":"` + os + `","architecture":"` + arch + `","variant":"` + variant + `","config":{"Cmd":["` +
		arch + variant + `"]}}`)
	config.MediaType = typeOCIConfig
	m := s.marshal(t, manifestDoc{MediaType: typeOCIManifest, Config: &config})
	m.MediaType = typeOCIManifest
	return m
}

func (s memoryRepository) marshal(t testing.TB, doc manifestDoc) contentRef {
	t.Helper()
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return s.put(string(raw))
}

func TestPlatformChoiceToleratesVariants(t *testing.T) {
	s := memoryRepository{}
	v1, v3, arm7, arm8 := s.image(t, "linux", "amd64", "v1"), s.image(t, "linux", "amd64", "v3"),
		s.image(t, "linux", "arm", "v7"), s.image(t, "linux", "arm64", "v8")
	bare, windows := s.image(t, "linux", "amd64", ""), s.image(t, "windows", "amd64", "")
	nested := s.marshal(t, manifestDoc{MediaType: typeOCIIndex, Manifests: []contentRef{v1}})
	for _, row := range []struct {
		platform string
		children []contentRef
		want     string // command of the chosen image; empty when refused
	}{
		{"linux/amd64", []contentRef{arm8, v3, bare, v1}, "amd64"},
		{"linux/amd64", []contentRef{v3, v1}, "amd64v1"},
		{"linux/amd64", []contentRef{v3}, "amd64v3"},
		{"linux/amd64/v3", []contentRef{bare, v3, v1}, "amd64v3"},
		{"linux/arm64", []contentRef{v1, arm8}, "arm64v8"},
		{"linux/amd64", []contentRef{arm8, nested}, "amd64v1"},
		{"linux/arm64", []contentRef{arm7, v1}, ""},
		{"linux/amd64", []contentRef{windows}, ""},
	} {
		p, err := parsePlatform(row.platform)
		if err != nil {
			t.Fatal(err)
		}
		index := s[s.marshal(t, manifestDoc{MediaType: typeOCIIndex, Manifests: row.children}).Digest]
		images, err := imageReader{source: s, platform: p}.read(t.Context(), "hello", "web", typeOCIIndex, index)
		if row.want == "" {
			if renga.KindOf(err) != renga.Invalid {
				t.Errorf("%s: %v, %v", row.platform, images, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(images["web"].Command, []string{row.want}) {
			t.Errorf("%s: %v, %v, want %s", row.platform, images, err, row.want)
		}
	}
}

func TestImageMustBeWholeAndHere(t *testing.T) {
	s := memoryRepository{}
	config := s.put(`{"os":"linux","architecture":"amd64","config":{"Cmd":["x"]}}`)
	config.MediaType = typeOCIConfig
	layer := s.put("layer")
	lying, absent, elsewhere := layer, contentRef{Digest: someDigest, Size: 1}, layer
	lying.Size++
	elsewhere.URLs = []string{"https://example.com/layer"}
	for what, row := range map[string]struct {
		layer contentRef
		kind  renga.Kind
	}{
		"good": {layer, ""}, "other size": {lying, renga.Invalid}, "absent": {absent, renga.Internal},
		"elsewhere": {elsewhere, renga.Invalid},
	} {
		body := s[s.marshal(t, manifestDoc{Config: &config, Layers: []contentRef{row.layer}}).Digest]
		_, err := imageReader{source: s, platform: platform{OS: "linux", Arch: "amd64"}}.read(t.Context(), "hello", "web",
			typeOCIManifest, body)
		if renga.KindOf(err) != row.kind {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzImageReader(f *testing.F) {
	s := memoryRepository{}
	img := s.image(f, "linux", "amd64", "")
	index := s.marshal(f, manifestDoc{
		MediaType: typeOCIIndex, Manifests: []contentRef{img, s.image(f, "linux", "arm64", "v8")},
	})
	f.Add(typeOCIManifest, s[img.Digest], []byte(`{"os":"linux","architecture":"amd64"}`))
	f.Add(typeOCIIndex, s[index.Digest], []byte(`null`))
	f.Add(typeDockerManifest, []byte(`{"config":{"mediaType":"`+typeDockerConfig+`","digest":"config"},"layers":[{}]}`),
		[]byte(`{"config":{"Cmd":["x"],"Labels":{"renga.processes":"{}"}}}`))
	f.Add(typeDockerList, []byte(`{"manifests":[{"digest":"x"}]}`), []byte(``))
	f.Fuzz(func(t *testing.T, mediaType string, body, config []byte) {
		all := memoryRepository{"config": config, "manifest": body}
		for d, b := range s {
			all[d] = b
		}
		images, err := imageReader{all, platform{OS: "linux", Arch: "amd64"}, 1 << 20, nil}.read(t.Context(), "hello", "web",
			mediaType, body)
		if err != nil && images != nil {
			t.Fatal("images with an error")
		}
		for p, img := range images {
			if renga.ValidateProcessType(p) != nil || checkCommand(img.Command) != "" || img.Size < 0 || img.Size > 1<<20 ||
				!renga.ValidDigest(img.Pushed) {
				t.Fatalf("%s: %+v", p, img)
			}
		}
	})
}
