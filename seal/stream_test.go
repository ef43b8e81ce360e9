package seal_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"path/filepath"
	"testing"

	"renga/seal"
)

// megabyte is the size of a stream's segments.
const megabyte = 1 << 20

func sealStream(t testing.TB, k *seal.Keyset, plain []byte, associated string) []byte {
	t.Helper()
	var to bytes.Buffer
	w, err := k.SealStream(&to, []byte(associated))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return to.Bytes()
}

func openStream(k *seal.Keyset, sealed []byte, associated string) ([]byte, error) {
	r, err := k.OpenStream(bytes.NewReader(sealed), []byte(associated))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func newKeyset(t testing.TB) *seal.Keyset {
	t.Helper()
	k, err := seal.Open(filepath.Join(t.TempDir(), "seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Streams of no segment, of one, at its bound and of several come back, after a
// rotation too.
func TestStreamsComeBack(t *testing.T) {
	k := newKeyset(t)
	for _, size := range []int{0, 1, megabyte - 300, megabyte, 3*megabyte + 7} {
		plain := make([]byte, size)
		_, _ = rand.Read(plain) // never fails
		sealed := sealStream(t, k, plain, "a")
		if size > 16 && bytes.Contains(sealed, plain[:16]) {
			t.Errorf("%d bytes are there in clear", size)
		}
		if err := k.Rotate(); err != nil {
			t.Fatal(err)
		}
		if got, err := openStream(k, sealed, "a"); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d, %v", size, len(got), err)
		}
	}
}

// Whatever is done to a stream, reading it to its end is an error.
func TestBrokenStreamsAreFoundOut(t *testing.T) {
	k := newKeyset(t)
	plain := make([]byte, 2*megabyte+9)
	_, _ = rand.Read(plain) // never fails
	sealed := sealStream(t, k, plain, "a")
	flipped := func(at int) []byte {
		b := bytes.Clone(sealed)
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a part of the key's length": sealed[:1], "a part of the key": sealed[:40],
		"one segment": sealed[:megabyte+100], "all but its last byte": sealed[:len(sealed)-1],
		"two whole segments": sealed[:len(sealed)-9-16], "more behind it": append(bytes.Clone(sealed), 0),
		"another length": flipped(1), "another key": flipped(30), "another first segment": flipped(500),
		"another last segment": flipped(len(sealed) - 3), "zeros": make([]byte, 500),
	} {
		if got, err := openStream(k, b, "a"); err == nil {
			t.Errorf("%s opens, as %d bytes", name, len(got))
		}
	}
	if _, err := openStream(k, sealed, "b"); err == nil {
		t.Error("it opens as another's")
	}
	if _, err := openStream(newKeyset(t), sealed, "a"); err == nil {
		t.Error("it opens with another key")
	}
}

// A stream that was never closed has no end.
func TestAStreamThatWasNotClosedIsNotWhole(t *testing.T) {
	k := newKeyset(t)
	var to bytes.Buffer
	w, err := k.SealStream(&to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 3*megabyte)); err != nil {
		t.Fatal(err)
	}
	if got, err := openStream(k, to.Bytes(), ""); err == nil {
		t.Errorf("it opens, as %d bytes", len(got))
	}
}
