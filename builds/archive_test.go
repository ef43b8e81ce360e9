package builds

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga"
)

// entry is one of a tar; without a type it is a file.
type entry struct {
	name, content, link string
	kind                byte
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Size: int64(len(e.content)), Mode: 0o4755, Uid: 7}
		switch e.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			h = tar.Header{Name: e.name, Typeflag: e.kind, PAXRecords: map[string]string{"comment": "0123abcd"}}
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fileOf(t testing.TB, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// written is what an archive writes into a build, a line each.
func written(t *testing.T, a *archive) []string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := a.WriteTo(w, "workspace", 1000, 1001); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 1000 || h.Gid != 1001 || h.Mode != 0o755 {
			t.Errorf("%s is of %d:%d and has mode %o", h.Name, h.Uid, h.Gid, h.Mode)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(h.Name+" "+h.Linkname+string(content)))
	}
}

func TestArchiveIsWrittenAsItsTree(t *testing.T) {
	for name, c := range map[string]struct {
		entries []entry
		want    []string
	}{
		"at the root": {
			[]entry{{name: "./", kind: tar.TypeDir}, {name: "./a", content: "1"}, {name: "b/c", content: "2"}},
			[]string{"workspace/a 1", "workspace/b/c 2"},
		},
		"in one folder, as GitHub has it": {
			[]entry{
				{name: "pax_global_header", kind: tar.TypeXGlobalHeader},
				{name: "shop-main/", kind: tar.TypeDir}, {name: "shop-main/a", content: "1"},
				{name: "shop-main/l", kind: tar.TypeLink, link: "shop-main/a"},
				{name: "shop-main/s", kind: tar.TypeSymlink, link: "../../etc/passwd"},
			},
			[]string{"workspace/a 1", "workspace/l workspace/a", "workspace/s ../../etc/passwd"},
		},
		"without what is ignored": {
			[]entry{
				{name: ".slugignore", content: "*.psd\n/spec\n# all\n\n"}, {name: "a.psd", content: "1"}, {name: "x/b.psd", content: "2"},
				{name: "spec/", kind: tar.TypeDir}, {name: "spec/c", content: "3"}, {name: "x/spec/d", content: "4"},
			},
			[]string{"workspace/.slugignore *.psd\n/spec\n# all", "workspace/x/spec/d 4"},
		},
	} {
		for form, pack := range map[string]func(testing.TB, []byte) []byte{
			"plain": func(_ testing.TB, b []byte) []byte { return b }, "gzip": gzipped,
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				a, err := openArchive(fileOf(t, pack(t, tarOf(t, c.entries...))))
				if err != nil {
					t.Fatal(err)
				}
				if got := written(t, a); !slices.Equal(got, c.want) {
					t.Errorf("got %q; want %q", got, c.want)
				}
			})
		}
	}
}

func TestHostileArchiveIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		entries []entry
		says    string
	}{
		"absolute":             {[]entry{{name: "/etc/passwd"}}, "leads out of the tree"},
		"out of the tree":      {[]entry{{name: "a/../../b"}}, "leads out of the tree"},
		"through a link":       {[]entry{{name: "a", kind: tar.TypeSymlink, link: "/cnb"}, {name: "a/lifecycle"}}, "below what is no folder"},
		"a link over a folder": {[]entry{{name: "a/b"}, {name: "a", kind: tar.TypeSymlink, link: "/cnb"}}, "is there twice"},
		"a file twice":         {[]entry{{name: "a"}, {name: "./a"}}, "is there twice"},
		"a link to nowhere":    {[]entry{{name: "b"}, {name: "a", kind: tar.TypeLink, link: "/etc/shadow"}}, "is a link to what is no file"},
		"a link to a link": {
			[]entry{{name: "s", kind: tar.TypeSymlink, link: "/etc/shadow"}, {name: "a", kind: tar.TypeLink, link: "s"}},
			"is a link to what is no file",
		},
		"a link out of its folder": {[]entry{{name: "d/a", kind: tar.TypeLink, link: "e/a"}}, "is a link out of the tree"},
		"a device":                 {[]entry{{name: "a", kind: tar.TypeBlock}}, "is neither a file"},
		"a pipe":                   {[]entry{{name: "a", kind: tar.TypeFifo}}, "is neither a file"},
		"nothing":                  {nil, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openArchive(fileOf(t, tarOf(t, c.entries...)))
			if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), c.says) {
				t.Errorf("it said %v; want %q", err, c.says)
			}
		})
	}
}

func TestWhatIsNoArchiveIsRefused(t *testing.T) {
	whole := gzipped(t, tarOf(t, entry{name: "a", content: strings.Repeat("x", 1000)}))
	for name, content := range map[string][]byte{
		"a page": []byte("<html>" + strings.Repeat("not found ", 100)), "half of one": whole[:len(whole)/2],
	} {
		if _, err := openArchive(fileOf(t, content)); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// zeros are so many bytes.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.left)
	if z.left -= n; n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	return int(n), nil
}

func TestBombIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bomb")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, &zeros{64 << 20}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Close(), z.Close(), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer func(was int64) { maxUnpacked = was }(maxUnpacked)
	maxUnpacked = 32 << 20
	_, err = openArchive(file)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), "unpacks to more than") {
		t.Errorf("it said %v", err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(tarOf(f, entry{name: "a", content: "1"}, entry{name: "b/c", kind: tar.TypeSymlink, link: "../.."}))
	f.Add(gzipped(f, tarOf(f, entry{name: "d/", kind: tar.TypeDir}, entry{name: "d/a"})))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := openArchive(fileOf(t, content))
		if err != nil {
			if renga.KindOf(err) != renga.Invalid {
				t.Errorf("it is nobody's fault: %v", err)
			}
			return
		}
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := a.WriteTo(w, "workspace", 1, 1); err != nil && renga.KindOf(err) != renga.Invalid {
			t.Errorf("it passed and cannot be written: %v", err)
			return
		}
		_ = w.Flush() // it may have stopped within a file
		for r := tar.NewReader(&out); ; {
			h, err := r.Next()
			if err != nil {
				return
			}
			if clean := filepath.Clean(h.Name); !strings.HasPrefix(clean, "workspace/") {
				t.Errorf("%q was written", h.Name)
			}
		}
	})
}
