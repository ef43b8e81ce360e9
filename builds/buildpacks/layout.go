package buildpacks

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"renga"
	"renga/docker"
)

const (
	// maxJSON bounds manifests and configs.
	maxJSON = 4 << 20
	// maxLayoutEntries bounds the files of an image; it has one for each layer.
	maxLayoutEntries = 10_000
	indexFile        = "index.json"
)

var blobName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// copyLayout copies the image out of the container.
func (m *Maker) copyLayout(ctx context.Context, c *docker.Container, dir string) error {
	files := layoutFiles{dir: dir, limit: m.ImageBytes}
	if files.limit <= 0 {
		files.limit = m.DiskBytes // files with holes are larger than what they take up in the container
	}
	if files.limit <= 0 {
		files.limit = math.MaxInt64
	}
	files.left = files.limit
	err := c.ReadTree(ctx, layoutDir+"/"+appPath, files.copy)
	if renga.KindOf(err) == renga.NotFound {
		return unusable("it is not where it was to be")
	}
	return err
}

// layoutFiles copies the files of a layout that a build made, one after the other, and
// nothing else that the build may have put beside them.
type layoutFiles struct {
	dir         string
	limit, left int64 // bytes, with those of what is not copied, for it is read all the same
	entries     int
}

func (f *layoutFiles) copy(h *tar.Header, body io.Reader) error {
	f.entries++
	if f.entries > maxLayoutEntries {
		return unusable("it has more than %d files", maxLayoutEntries)
	}
	if f.left -= h.Size; f.left < 0 {
		return renga.Errorf(renga.Invalid, "The build made more than %d MB of layers; this platform takes no larger images.", f.limit>>20)
	}
	_, name, _ := strings.Cut(path.Clean(h.Name), "/") // the first is the layout's folder
	folder, file := path.Split(name)
	if h.Typeflag != tar.TypeReg || name != indexFile && !(folder == "blobs/sha256/" && blobName.MatchString(file)) {
		return nil
	}
	return writeFile(filepath.Join(f.dir, file), body)
}

func writeFile(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// readJSON reads a file that a build may have made. What is wrong with that is
// renga.Invalid, and calls it by its name.
func readJSON(file, name string, into any) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable("its %s is missing", name)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxJSON:
		return nil, unusable("its %s is larger than %d bytes", name, maxJSON)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, unusable("its %s cannot be read: %w", name, err)
	}
	return text, nil
}

// unusable is the error of a build that made no image; the reason is a clause.
func unusable(reason string, args ...any) error {
	return renga.Errorf(renga.Invalid, "The builder made no image that can be released: %w.", fmt.Errorf(reason, args...))
}
