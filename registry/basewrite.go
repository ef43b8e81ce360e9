package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// writeBase makes a layout of what the engine saves. Each layer is compressed once, while
// it is read: the library would do it three times.
func writeBase(ctx context.Context, work string, save func(context.Context, io.Writer) error) error {
	saved := filepath.Join(work, "saved.tar")
	if err := writeFileFrom(saved, func(w io.Writer) error { return save(ctx, w) }); err != nil {
		return err
	}
	img, err := tarball.ImageFromPath(saved, nil)
	if err != nil {
		return fmt.Errorf("read what the engine saved: %w", err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	made, err := layout.Write(filepath.Join(work, "layout"), empty.Index)
	if err != nil {
		return err
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	if m.Config, err = writeBaseBlob(made, types.OCIConfigJSON, plain(config)); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		of, err := writeBaseBlob(made, types.OCILayer, func(w io.Writer) error { return compress(w, layer) })
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, of)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	of, err := writeBaseBlob(made, m.MediaType, plain(text))
	if err != nil {
		return err
	}
	return made.AppendDescriptor(of)
}

func writeFileFrom(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// plain writes content as it is.
func plain(content []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
}

func compress(w io.Writer, layer v1.Layer) error {
	from, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, from)
	}
	return errors.Join(err, z.Close(), from.Close())
}

// writeBaseBlob writes a blob and describes it.
func writeBaseBlob(to layout.Path, mediaType types.MediaType, write func(io.Writer) error) (v1.Descriptor, error) {
	dir := filepath.Join(string(to), "blobs", "sha256")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return v1.Descriptor{}, err
	}
	file := filepath.Join(dir, "new")
	counted := &digestWriter{}
	err := writeFileFrom(file, func(w io.Writer) error {
		counted.hash, counted.to = sha256.New(), w
		return write(counted)
	})
	if err != nil {
		return v1.Descriptor{}, errors.Join(err, os.Remove(file))
	}
	of := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(counted.hash.Sum(nil))}
	return v1.Descriptor{MediaType: mediaType, Size: counted.size, Digest: of}, os.Rename(file, filepath.Join(dir, of.Hex))
}

// digestWriter counts and digests what passes.
type digestWriter struct {
	to   io.Writer
	hash hash.Hash
	size int64
}

func (w *digestWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	_, _ = w.hash.Write(p[:n]) // never fails
	w.size += int64(n)
	return n, err
}
