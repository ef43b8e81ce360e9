package registry

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// archive is a tar archive of files of those sizes, all zeros.
func archive(t testing.TB, sizes ...int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, size := range sizes {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("file-%d", i), Mode: 0o644, Size: size}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func gzipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdPacked(t testing.TB, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(plain, nil)
}

// sparse is an archive that says that it has a file of that many bytes, and has
// none of them.
func sparse(t testing.TB, size int64, format string) []byte {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "tar", "-C", dir, "-S", "--format="+format, "-cf", "-", "hole").Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnpackedSize(t *testing.T) {
	const limit = 1 << 20
	small := archive(t, 1, 5000)
	empties := make([]int64, 300)
	for what, row := range map[string]struct {
		layer []byte
		size  int64 // 0 when it is more than the limit
	}{
		"plain":           {small, 12288},
		"gzip":            {gzipped(t, small), 12288},
		"zstd":            {zstdPacked(t, small), 12288},
		"nothing":         {nil, 0},
		"whole blocks":    {gzipped(t, archive(t, make([]int64, 10)...)), 40960},
		"holes":           {gzipped(t, sparse(t, 100<<10, "gnu")), 100 << 10},
		"two gzips":       {append(gzipped(t, small[:1024]), gzipped(t, small[1024:])...), 12288},
		"frame to skip":   {append([]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'}, zstdPacked(t, small)...), 12288},
		"zeros":           {gzipped(t, archive(t, 2<<20)), -1},
		"zeros by zstd":   {zstdPacked(t, archive(t, 2<<20)), -1},
		"sparse, gnu":     {sparse(t, 8<<30, "gnu"), -1},
		"sparse, posix":   {gzipped(t, sparse(t, 8<<30, "posix")), -1},
		"empty files":     {gzipped(t, archive(t, empties...)), -1},
		"zeros behind it": {gzipped(t, append(bytes.Clone(small), make([]byte, 2<<20)...)), -1},
		"two gzips of it": {append(gzipped(t, archive(t, 700<<10)), gzipped(t, archive(t, 700<<10))...), -1},
	} {
		got, err := unpackedSize(bytes.NewReader(row.layer), limit)
		switch {
		case row.size >= 0 && (err != nil || got != row.size):
			t.Errorf("%s: %d, %v, want %d", what, got, err, row.size)
		case row.size < 0 && (!errors.Is(err, errTooLarge) || got <= limit):
			t.Errorf("%s: %d, %v, want more than the limit", what, got, err)
		}
	}
}

func TestWhatCannotBeUnpackedIsSaid(t *testing.T) {
	good := gzipped(t, archive(t, 100<<10))
	spoilt := bytes.Clone(good)
	spoilt[len(spoilt)-5] ^= 1
	for what, layer := range map[string][]byte{
		"cut": good[:len(good)/2], "bad sum": spoilt, "no archive": []byte(strings.Repeat("this is no archive ", 100)),
		"gzip of no archive": gzipped(t, []byte(strings.Repeat("this is no archive ", 100))),
		"cut zstd":           zstdPacked(t, archive(t, 100<<10))[:20],
	} {
		if n, err := unpackedSize(bytes.NewReader(layer), 1<<20); err == nil || errors.Is(err, errTooLarge) {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
}

func FuzzUnpackedSize(f *testing.F) {
	f.Add(archive(f, 10))
	f.Add(gzipped(f, archive(f, 10, 20)))
	f.Add(zstdPacked(f, archive(f, 10)))
	f.Add(sparse(f, 1<<30, "gnu"))
	f.Fuzz(func(t *testing.T, layer []byte) {
		n, err := unpackedSize(bytes.NewReader(layer), 1<<20)
		if n < 0 || (n > 1<<20) != errors.Is(err, errTooLarge) {
			t.Fatalf("%d, %v", n, err)
		}
	})
}

// BenchmarkUnpackedSize is what a push costs per layer: of code that packs to a
// third, and of zeros.
func BenchmarkUnpackedSize(b *testing.B) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		b.Fatal(err)
	}
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for i := range 4 {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Size: int64(len(program))}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(program); err != nil {
			b.Fatal(err)
		}
	}
	for name, layer := range map[string][]byte{
		"gzip": gzipped(b, plain.Bytes()), "zstd": zstdPacked(b, plain.Bytes()), "plain": plain.Bytes(),
		"zeros": gzipped(b, archive(b, 256<<20)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(layer)))
			for b.Loop() {
				if _, err := unpackedSize(bytes.NewReader(layer), 1<<40); err != nil && !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
