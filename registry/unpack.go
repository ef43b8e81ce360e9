package registry

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// form is how a layer is compressed.
type form string

// The forms that Docker tells apart, as it does: by the first bytes, whatever
// the manifest says.
const (
	formTar   form = "tar"
	formGzip  form = "gzip"
	formZstd  form = "zstd"
	formXZ    form = "xz"
	formBzip2 form = "bzip2"
)

// formBytes is how many bytes formOf looks at.
const formBytes = 8

func formOf(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return formGzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) >= 4 && head[0]>>4 == 5 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}):
		return formZstd // a frame, or one to be skipped before it
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return formXZ
	case bytes.HasPrefix(head, []byte("BZh")):
		return formBzip2
	}
	return formTar
}

const (
	// blockBytes is what a file takes at least, even an empty one: that bounds
	// their number too.
	blockBytes = 4 << 10
	// zstdWindow is the largest window of a zstd layer: that of zstd --long, and
	// what unpacking it keeps in memory.
	zstdWindow = 128 << 20
)

// errTooLarge says that a layer is above the limit.
var errTooLarge = errors.New("larger than the limit")

// unpackedSize is what a layer takes on a disk: each file in whole blocks, with
// the holes of sparse ones, which Docker fills with zeros; or, when that is
// more, the archive itself. Above the limit it is errTooLarge, without reading
// on. Any other error says why it cannot be unpacked.
func unpackedSize(packed io.Reader, limit int64) (int64, error) {
	plain, err := unpack(packed)
	if err != nil {
		return 0, err
	}
	defer plain.Close()
	archive := &boundedReader{r: plain, limit: limit}
	files, err := filesSize(tar.NewReader(archive), limit)
	if err == nil {
		// The engine reads what comes after the archive's end, too.
		_, err = io.Copy(io.Discard, archive)
	}
	return max(files, archive.n), err
}

func filesSize(files *tar.Reader, limit int64) (int64, error) {
	var sum int64
	for {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		if file.Size > limit {
			return file.Size, errTooLarge
		}
		sum += max(blockBytes, (file.Size+blockBytes-1)/blockBytes*blockBytes)
		if sum > limit {
			return sum, errTooLarge
		}
	}
}

// unpack gives the archive in a layer.
func unpack(packed io.Reader) (io.ReadCloser, error) {
	head := make([]byte, formBytes)
	n, err := io.ReadFull(packed, head)
	if err != nil && !isEnd(err) {
		return nil, err
	}
	packed = io.MultiReader(bytes.NewReader(head[:n]), packed)
	switch formOf(head[:n]) {
	case formGzip:
		return gzip.NewReader(packed)
	case formZstd:
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(packed), nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// boundedReader counts, and ends with errTooLarge above the limit.
type boundedReader struct {
	r        io.Reader
	n, limit int64
}

// Read reads on as long as that is allowed.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.n > b.limit {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	return n, err
}

// faultReader remembers why reading failed, to tell a disk's fault from one of
// what is read.
type faultReader struct {
	r   io.Reader
	err error
}

// Read reads, and remembers.
func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
