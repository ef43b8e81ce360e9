package registry

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/layout"

	"renga"
)

// keptBaseImages is how many are kept: those that were asked for last.
const keptBaseImages = 4

// BaseImages keeps images of the engine's, each as an OCI layout (image-spec v1.1,
// image-layout.md): what is built on one brings its layers into the registry from here.
type BaseImages struct {
	dir string
	mu  sync.Mutex // one is added at a time
}

// NewBaseImages keeps them in dir, which nothing else is in.
func NewBaseImages(dir string) *BaseImages { return &BaseImages{dir: dir} }

// BaseImage is one that is kept.
type BaseImage struct {
	MediaType        string // of the manifest
	Manifest, Config []byte
	dir              string
}

// Open opens a blob of the image; fs.ErrNotExist if it has none of that digest.
func (b BaseImage) Open(dgst string) (io.ReadCloser, error) {
	if !renga.ValidDigest(dgst) {
		return nil, fs.ErrNotExist
	}
	return os.Open(filepath.Join(b.dir, "blobs", "sha256", strings.TrimPrefix(dgst, "sha256:")))
}

// Image gives an image by the engine's id of it. If it is not kept yet, save writes it as
// docker save does.
func (b *BaseImages) Image(ctx context.Context, id string, save func(context.Context, io.Writer) error) (BaseImage, error) {
	digits := strings.TrimPrefix(id, "sha256:")
	if _, err := hex.DecodeString(digits); err != nil || digits == "" {
		return BaseImage{}, fmt.Errorf("keep base image: %q is no id of an image", clipText(id))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	dir := filepath.Join(b.dir, digits)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := b.add(ctx, dir, save); err != nil {
			return BaseImage{}, fmt.Errorf("keep base image: %w", err)
		}
	}
	return b.open(dir)
}

// add makes the layout beside its place first, for a layout is there whole or not at all.
func (b *BaseImages) add(ctx context.Context, dir string, save func(context.Context, io.Writer) error) (err error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	b.trim()
	work, err := os.MkdirTemp(b.dir, "new-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := writeBase(ctx, work, save); err != nil {
		return err
	}
	return os.Rename(filepath.Join(work, "layout"), dir)
}

// trim makes room for another one, and removes what a crash left. What cannot be removed
// is tried again the next time.
func (b *BaseImages) trim() {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return
	}
	var kept []fs.FileInfo
	for _, e := range entries {
		switch info, err := e.Info(); {
		case err != nil:
		case strings.HasPrefix(e.Name(), "new-"):
			_ = os.RemoveAll(filepath.Join(b.dir, e.Name()))
		default:
			kept = append(kept, info)
		}
	}
	slices.SortFunc(kept, func(x, y fs.FileInfo) int {
		return cmp.Or(x.ModTime().Compare(y.ModTime()), cmp.Compare(x.Name(), y.Name()))
	})
	for _, old := range kept[:max(0, len(kept)+1-keptBaseImages)] {
		_ = os.RemoveAll(filepath.Join(b.dir, old.Name()))
	}
}

func (b *BaseImages) open(dir string) (BaseImage, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return BaseImage{}, fmt.Errorf("open base image: %w", err)
	}
	all, err := index.IndexManifest()
	if err != nil || len(all.Manifests) != 1 {
		return BaseImage{}, errors.Join(fmt.Errorf("open base image: it has not one manifest"), err)
	}
	of := BaseImage{MediaType: string(all.Manifests[0].MediaType), dir: dir}
	img, err := index.Image(all.Manifests[0].Digest)
	if err == nil {
		of.Manifest, err = img.RawManifest()
	}
	if err == nil {
		of.Config, err = img.RawConfigFile()
	}
	if err != nil {
		return BaseImage{}, fmt.Errorf("open base image: %w", err)
	}
	return of, nil
}
