package attach_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pkg/sftp"

	"renga"
	"renga/attach"
)

// lend opens a place's files.
func (d *fixture) lend(t *testing.T, p *fakeRunningDyno) *sftp.Client {
	t.Helper()
	user, key := d.admit(t, p)
	client, err := d.dial(t, user, key)
	if err != nil {
		t.Fatal(err)
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() }) // its connection may be closed
	return files
}

// noise is so many bytes that no two pieces of are the same.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func TestFilesAreCopiedFromADyno(t *testing.T) {
	dir := t.TempDir()
	much := noise(3<<20 + 7)
	d := newFixture(t, attach.Options{Spool: dir})
	files := d.lend(t, &fakeRunningDyno{files: fstest.MapFS{
		"app/much": {Data: much}, "app/empty": {}, "etc/few": {Data: []byte("few")},
	}})
	for path, want := range map[string][]byte{"/app/much": much, "much": much, "empty": {}, "../etc/few": []byte("few")} {
		f, err := files.Open(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		info, err := f.Stat()
		if err != nil || info.Size() != int64(len(want)) {
			t.Errorf("%s: it tells of %v, %v", path, info, err)
		}
		var got bytes.Buffer
		if _, err := f.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: of %d bytes %d came, %v", path, len(want), got.Len(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("in the spool are %v, %v", left, err)
	}
}

func TestWhatCannotBeCopiedIsRefusedWithTheReason(t *testing.T) {
	full := renga.Errorf(renga.NoSpace, "There is no room.")
	d := newFixture(t, attach.Options{Spool: t.TempDir(), CheckSpace: func(bytes int64) error {
		if bytes > 3 {
			return full
		}
		return nil
	}})
	files := d.lend(t, &fakeRunningDyno{files: fstest.MapFS{"app/much": {Data: []byte("much")}}})
	if _, err := files.Open("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := files.Open("much"); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("more than there is room for: %v", err)
	}
	if info, err := files.Stat("much"); err != nil || info.Size() != 4 {
		t.Errorf("a look at it: %v, %v", info, err)
	}
	if _, err := files.Create("new"); err == nil || !strings.Contains(err.Error(), "not to it") {
		t.Errorf("writing: %v", err)
	}
	if err := files.Remove("much"); err == nil || !strings.Contains(err.Error(), "not to it") {
		t.Errorf("removing: %v", err)
	}
	if _, err := files.ReadDir("/app"); err == nil || !strings.Contains(err.Error(), "listed") {
		t.Errorf("listing: %v", err)
	}
}

func TestFewFilesAreCopiedAtOnce(t *testing.T) {
	d := newFixture(t, attach.Options{Spool: t.TempDir()})
	p := &fakeRunningDyno{files: fstest.MapFS{"app/a": {Data: []byte("a")}}}
	files := d.lend(t, p)
	for {
		if _, err := files.Open("a"); err != nil {
			if !strings.Contains(err.Error(), "copied already") {
				t.Errorf("too many: %v", err)
			}
			break
		}
	}
	if err := files.Close(); err != nil { // whoever goes drops what it had open
		t.Fatal(err)
	}
	if err := files.Wait(); err != nil && !errors.Is(err, io.EOF) {
		t.Log(err)
	}
	again := d.lend(t, p)
	for { // the other end may be on its way still
		f, err := again.Open("a")
		if err == nil {
			_ = f.Close() // only read
			break
		}
	}
}

func TestOnlyFilesAreASubsystem(t *testing.T) {
	d := newFixture(t, attach.Options{})
	user, key := d.admit(t, &fakeRunningDyno{})
	_, session := d.open(t, user, key)
	if err := session.RequestSubsystem("netconf"); err == nil {
		t.Error("another subsystem is served")
	}
}
