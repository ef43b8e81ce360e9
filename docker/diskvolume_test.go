package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// diskFixture is a disk of a platform of its own.
type diskFixture struct {
	*testing.T
	client         *docker.Client
	platform, name string
}

func newDisk(t *testing.T) *diskFixture {
	t.Helper()
	id := uuid.NewString()
	f := &diskFixture{T: t, platform: "test-" + id, name: "renga-test-" + id}
	f.client = newClient(t, docker.Options{Platform: f.platform})
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(f.client.RemoveArchiveLeftovers(ctx), f.client.RemoveDisk(ctx, f.name)); err != nil {
			t.Error(err)
		}
		f.leaves("containers", "ps", "--all", "--quiet")
		f.leaves("volumes", "volume", "ls", "--quiet")
	})
	if _, err := f.client.NewDisk(t.Context(), f.name, nil, 64<<20); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *diskFixture) leaves(what string, args ...string) {
	f.Helper()
	if left := dockertest.Docker(f.T, append(args, "--filter", "label=renga.platform="+f.platform)...); left != "" {
		f.Errorf("%s are left: %s", what, left)
	}
}

func (f *diskFixture) find() docker.Disk {
	f.Helper()
	d, err := f.client.FindDisk(f.Context(), f.name)
	if err != nil {
		f.Fatal(err)
	}
	return d
}

func (f *diskFixture) dump() []byte {
	f.Helper()
	var b bytes.Buffer
	if err := f.client.ReadVolume(f.Context(), f.find().Volume, &b); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

func (f *diskFixture) restore(from io.Reader) error {
	return f.client.Replace(f.Context(), f.find(), nil, 64<<20, func(v docker.Volume) error {
		return f.client.WriteVolume(f.Context(), v, from, 64<<20)
	})
}

func TestADiskIsCopiedOutAndIn(t *testing.T) {
	f := newDisk(t)
	dir := f.find().Dir
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("who may write into it: %v, %v", info.Mode(), err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write("notes", "one")
	big := strings.Repeat("x", 3<<20)
	write("big", big)
	for _, err := range []error{
		os.Chown(filepath.Join(dir, "notes"), 1234, 4321), os.Symlink("/etc/passwd", filepath.Join(dir, "link")),
		os.Mkdir(filepath.Join(dir, "d"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dumped := f.dump()
	write("notes", "two")
	write("later", "x")
	if err := f.restore(bytes.NewReader(dumped)); err != nil {
		t.Fatal(err)
	}
	now := f.find()
	if now.Generation != 1 || now.Dir == dir {
		t.Errorf("the disk is %+v", now)
	}
	for name, want := range map[string]string{"notes": "one", "big": big} {
		if got, err := os.ReadFile(filepath.Join(now.Dir, name)); err != nil || string(got) != want {
			t.Errorf("%s has %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
	if _, err := os.Stat(filepath.Join(now.Dir, "later")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is not in the archive is there: %v", err)
	}
	if !bytes.Equal(f.dump(), dumped) {
		t.Error("owners, modes, links or times are others after a restore")
	}
	if old, err := os.ReadFile(filepath.Join(dir, "notes")); err != nil || string(old) != "two" {
		t.Errorf("who has the disk lost it: %q, %v", old, err)
	}
	if err := f.client.Tidy(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old content stays: %v", err)
	}
}

// TestADiskIsTheOldOneUntilTheNewOneIsWhole, whatever breaks off.
func TestADiskIsTheOldOneUntilTheNewOneIsWhole(t *testing.T) {
	f := newDisk(t)
	if err := os.WriteFile(filepath.Join(f.find().Dir, "notes"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	dumped := f.dump()
	// A file of zeros alone, which look like the end of an archive.
	zeros := slices.Concat(tarHeader(t, "volume/", 0), tarHeader(t, "volume/zeros", 2048), make([]byte, 2048))
	for what, from := range map[string]io.Reader{
		"cut off between two files": bytes.NewReader(dumped[:1024]),
		"cut off after zeros":       bytes.NewReader(zeros),
		"cut off in a file":         bytes.NewReader(dumped[:len(dumped)-2560]),
		"no archive":                strings.NewReader(strings.Repeat("rubbish", 1000)),
		"nothing":                   strings.NewReader(""),
	} {
		if err := f.restore(from); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	failed := errors.New("the bucket is away")
	if err := f.restore(io.MultiReader(bytes.NewReader(dumped[:700]), brokenReader{failed})); err == nil {
		t.Error("what could not be read was restored")
	}
	// As a process leaves it that is killed when all was written, and not yet said so.
	killed, cancel := context.WithCancel(t.Context())
	err := f.client.Replace(killed, f.find(), nil, 64<<20, func(v docker.Volume) error {
		defer cancel()
		return f.client.WriteVolume(t.Context(), v, bytes.NewReader(dumped), 64<<20)
	})
	if err == nil {
		t.Error("it went on")
	}
	if d := f.find(); d.Generation != 0 || !bytes.Equal(f.dump(), dumped) {
		t.Errorf("the disk is another: %+v", d)
	}
	if err := f.restore(bytes.NewReader(dumped)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if !bytes.Equal(f.dump(), dumped) {
		t.Error("it was not restored")
	}
}

// TestAHostileArchiveIsRefused: the daemon would unpack it as root, wherever it says.
func TestAHostileArchiveIsRefused(t *testing.T) {
	f := newDisk(t)
	if err := os.WriteFile(filepath.Join(f.find().Dir, "notes"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	many := func(n int, h tar.Header) (all []tar.Header) {
		for i := range n {
			h.Name = fmt.Sprintf("volume/%d", i)
			all = append(all, h)
		}
		return all
	}
	for what, entries := range map[string][]tar.Header{
		"beside the disk":  {{Name: "etc/passwd"}},
		"above":            {{Name: "volume/../etc/passwd"}},
		"absolute":         {{Name: "/volume/../../etc/passwd"}},
		"much alike":       {{Name: "volumes/x"}},
		"linked out":       {{Name: "volume/x", Typeflag: tar.TypeLink, Linkname: "etc/passwd"}},
		"linked above":     {{Name: "volume/x", Typeflag: tar.TypeLink, Linkname: "volume/../etc/passwd"}},
		"through a link":   {{Name: "volume/x", Typeflag: tar.TypeSymlink, Linkname: "/"}, {Name: "volume/x/../../etc/passwd"}},
		"a machine's disk": {{Name: "volume/x", Typeflag: tar.TypeBlock, Devmajor: 8, Mode: 0o666}},
		"its memory":       {{Name: "volume/x", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1, Mode: 0o666}},
		"too large":        {{Name: "volume/x", Size: 80 << 20}},
		"too large by sum": many(9, tar.Header{Size: 8 << 20}),
		"too many":         many(1<<18, tar.Header{}),
	} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		for _, h := range append([]tar.Header{{Name: "volume/", Typeflag: tar.TypeDir, Mode: 0o777}}, entries...) {
			h.Format = tar.FormatPAX
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(what, err)
			}
			if _, err := w.Write(make([]byte, h.Size)); err != nil {
				t.Fatal(what, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.restore(&archive); renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "The archive has ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, archive := range map[string][]byte{"sparse": sparse(t, ""), "sparse of the older form": sparse(t, "old")} {
		if err := f.restore(bytes.NewReader(archive)); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := f.find(); d.Generation != 0 {
		t.Errorf("the disk is another: %+v", d)
	}
	if got, err := os.ReadFile(filepath.Join(f.find().Dir, "notes")); err != nil || string(got) != "one" {
		t.Errorf("the disk has %q, %v", got, err)
	}
}

func tarHeader(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sparse is an archive of a few kilobytes with a file of 32 megabytes, as GNU tar
// makes it.
func sparse(t *testing.T, form string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "volume", "hole")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Truncate(file, 32<<20)); err != nil {
		t.Fatal(err)
	}
	format := "--format=posix"
	if form == "old" {
		format = "--format=gnu"
	}
	archive, err := exec.Command("tar", "--sparse", format, "--directory", dir, "--create", "volume/").CombinedOutput()
	if err != nil || len(archive) > 64<<10 {
		t.Fatalf("the archive has %d bytes, %v", len(archive), err)
	}
	return archive
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// TestAVolumeThatWasMadeHalfIsMadeAgain: the daemon keeps no labels of one whose
// asker is killed meanwhile. What has something in it is somebody's.
func TestAVolumeThatWasMadeHalfIsMadeAgain(t *testing.T) {
	f := newDisk(t)
	name := f.name + "-half"
	dockertest.Docker(t, "volume", "create", name)
	t.Cleanup(func() { dockertest.Docker(t, "volume", "rm", "--force", name) })
	dir := strings.TrimSpace(dockertest.Docker(t, "volume", "inspect", "--format", "{{.Mountpoint}}", name))
	file := filepath.Join(dir, "notes")
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.Volume(t.Context(), name, nil); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("somebody's data: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.Volume(t.Context(), name, nil); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	if err := f.client.RemoveVolume(t.Context(), name); err != nil {
		t.Error(err)
	}
}

func TestADiskIsItsPlatformsAlone(t *testing.T) {
	f := newDisk(t)
	another := newClient(t, docker.Options{Platform: "test-" + uuid.NewString()})
	if _, err := another.FindDisk(t.Context(), f.name); renga.KindOf(err) != renga.NotFound {
		t.Errorf("another platform finds it: %v", err)
	}
	if _, err := another.NewDisk(t.Context(), f.name, nil, 1<<20); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("another platform gets it: %v", err)
	}
	if err := another.RemoveDisk(t.Context(), f.name); err != nil {
		t.Errorf("another platform's counts as none: %v", err)
	}
	f.find()
}
