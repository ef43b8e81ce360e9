package docker_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"renga"
)

func TestFilesOfADynoAreRead(t *testing.T) {
	w := newFixture(t)
	in := w.start(w.spec("serve"))
	if in.Dir != "/" {
		t.Errorf("it runs in %q", in.Dir)
	}
	path, err := programOnce()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{
		"/bin/notes": []byte("hi"), "/bin/dyno": program, "/bin/alias": program, "/etc/hostname": []byte("web-1\n"),
	} {
		f, err := w.engine.OpenFile(t.Context(), in.ID, path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, want) || info.Size() != int64(len(want)) {
			t.Errorf("%s: %d bytes of %d were read, %v", path, len(got), info.Size(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		path string
		kind renga.Kind
		says string
	}{
		{"/absent", renga.NotFound, "no such file"},
		{"/bin/dangling", renga.NotFound, "no such file"},
		{"/bin", renga.Invalid, "folder"},
		{"/dev/null", renga.NotFound, ""},
	} {
		_, err := w.engine.OpenFile(t.Context(), in.ID, c.path)
		if renga.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if err := w.engine.Kill(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	w.exited(in.App, in.ID)
	if _, err := w.engine.OpenFile(t.Context(), in.ID, "/bin/dyno"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("in a dyno that has ended: %v", err)
	}
}
