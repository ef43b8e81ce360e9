package buildpacks

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renga"
)

// foreign is the digest of a layer that another app has.
var foreign = "sha256:" + strings.Repeat("f", 64)

// tree is what a build left where its image was to be.
type tree struct{ *tar.Writer }

func (t tree) file(name, content string) error {
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "latest/" + name, Size: int64(len(content))})
	if err == nil {
		_, err = io.WriteString(t, content)
	}
	return err
}

// blob adds one, and gives its digest.
func (t tree) blob(content string) (string, error) {
	digits := sum([]byte(content))
	return "sha256:" + digits, t.file("blobs/sha256/"+digits, content)
}

// image adds one with that config and that further layer.
func (t tree) image(config, layer string) error {
	of, err := t.blob(config)
	if err != nil {
		return err
	}
	manifest, err := t.blob(fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q,"size":%d},"layers":[{"digest":%q,"size":9}]}`,
		of, len(config), layer))
	if err != nil {
		return err
	}
	return t.file("index.json", fmt.Sprintf(`{"manifests":[{"mediaType":%q,"digest":%q}]}`, typeOCIManifest, manifest))
}

// taken takes the image as it is taken out of a container.
func taken(t *testing.T, limit int64, fill func(tree) error) (*image, error) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	filled := fill(tree{w})
	if filled == nil {
		filled = w.Close()
	}
	if filled != nil {
		t.Fatal(filled)
	}
	made := &image{dir: t.TempDir(), base: Base{Open: func(string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }}}
	files := layoutFiles{dir: made.dir, limit: limit, left: limit}
	for r := tar.NewReader(&archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = files.copy(h, r)
		}
		if err != nil {
			return made, err
		}
	}
	if err := made.read(); err != nil {
		return made, err
	}
	return made, made.mark(map[string]string{"revision": "abc"}, map[string]string{"COMMIT": "abc"})
}

func TestTamperedImageIsRefused(t *testing.T) {
	const good = `{"config":{"Env":["PATH=/bin"]}}`
	index := func(text string) func(tree) error { return func(t tree) error { return t.file("index.json", text) } }
	for name, c := range map[string]struct {
		fill func(tree) error
		says string
	}{
		"nothing":           {func(tree) error { return nil }, "its index.json is missing"},
		"no JSON":           {index("hello"), "its index.json cannot be read"},
		"no manifest":       {index(`{}`), "its index.json names 0 images"},
		"two manifests":     {index(`{"manifests":[{"digest":"sha256:1"},{"digest":"sha256:2"}]}`), "its index.json names 2 images"},
		"a path as digest":  {index(`{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`), "its manifest is missing"},
		"a digest of none":  {index(`{"manifests":[{"digest":"` + foreign + `"}]}`), "its manifest is missing"},
		"a null manifest":   {withManifest("null"), "its manifest names no config"},
		"a null config":     {withManifest(`{"config":null}`), "its config is missing"},
		"sizes of text":     {withManifest(`{"config":{"size":"1"}}`), "its manifest names no config"},
		"a huge manifest":   {withManifest(strings.Repeat(" ", maxJSON) + "{}"), "its manifest is larger than 4194304 bytes"},
		"an empty config":   {func(t tree) error { return t.image(`{}`, foreign) }, "its config does not say how it runs"},
		"a config of null":  {func(t tree) error { return t.image(`{"config":null}`, foreign) }, "its config does not say how it runs"},
		"a config of null.": {func(t tree) error { return t.image(`null`, foreign) }, "its config does not say how it runs"},
		"labels of numbers": {func(t tree) error { return t.image(`{"config":{"Labels":{"a":1}}}`, foreign) }, "does not say how it runs"},
		"a link as index": {func(t tree) error {
			return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "latest/index.json", Linkname: "/etc/shadow"})
		}, "its index.json is missing"},
		"a device as index": {func(t tree) error {
			return t.WriteHeader(&tar.Header{Typeflag: tar.TypeBlock, Name: "latest/index.json", Devmajor: 8})
		}, "its index.json is missing"},
		"a link as the whole": {func(t tree) error {
			return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "latest", Linkname: "/"})
		}, "its index.json is missing"},
		"an image beside it": {func(t tree) error {
			return errors.Join(t.file("blobs/index.json", "{}"), t.file("other/blobs/sha256/"+strings.Repeat("a", 64), "a"))
		}, "its index.json is missing"},
		"a large layer": {func(t tree) error {
			return errors.Join(t.image(good, foreign), t.file("blobs/sha256/"+strings.Repeat("a", 64), strings.Repeat("a", 1<<20)))
		}, "more than 1 MB of layers"},
		"a large file beside it": {func(t tree) error {
			return errors.Join(t.image(good, foreign), t.file("core", strings.Repeat("a", 1<<20)))
		}, "more than 1 MB of layers"},
		"many files": {func(t tree) error {
			for n := range maxLayoutEntries + 1 {
				if err := t.file(fmt.Sprint(n), ""); err != nil {
					return err
				}
			}
			return nil
		}, "it has more than 10000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := int64(1 << 20)
			if name == "a huge manifest" {
				limit = 100 << 20
			}
			_, err := taken(t, limit, c.fill)
			sentence := renga.MessageOf(err, "")
			if renga.KindOf(err) != renga.Invalid || !strings.Contains(sentence, c.says) {
				t.Errorf("it said %v; want %q", err, c.says)
			}
			if strings.Contains(sentence, os.TempDir()) {
				t.Errorf("the sentence tells of our folders: %s", sentence)
			}
		})
	}
}

func withManifest(text string) func(tree) error {
	return func(t tree) error {
		digest, err := t.blob(text)
		return errors.Join(err, t.file("index.json", fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, digest)))
	}
}

// Whether an app has a layer is for the registry to say; what was built does not bring
// more than it has.
func TestImageHasNoLayersOfOthers(t *testing.T) {
	made, err := taken(t, 1<<20, func(t tree) error { return t.image(`{"config":{}}`, foreign) })
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{
		foreign, "sha256:index.json", "index.json", "sha256:../" + filepath.Base(made.dir) + "/index.json", "", "sha256:",
	} {
		if body, err := made.Open(digest); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v, %v; want that there is none", digest, body, err)
		}
	}
}

// Fields that differ from ours by their case alone would hold in place of them.
func TestMarksCannotBeHidden(t *testing.T) {
	made, err := taken(t, 1<<20, func(t tree) error {
		return t.image(`{"config":{"labels":{"revision":"forged","kept":"yes"},"env":["PATH=/bin","COMMIT=forged"],"User":"1000"},
			"Config":{"Labels":{"revision":"forged"}}}`, foreign)
	})
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Config struct{ Digest string } }
	if err := json.Unmarshal(made.manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made.blob(manifest.Config.Digest))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"config":{"Env":["PATH=/bin","COMMIT=abc"],"Labels":{"kept":"yes","revision":"abc"},"User":"1000"}}`
	if string(text) != want {
		t.Errorf("the config is\n%s; want\n%s", text, want)
	}
}
