package buildpacks

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"renga"
	"renga/builds"
	"renga/docker"
)

// maxJSON bounds manifests and configs.
const maxJSON = 4 << 20

// image is one that a build made, in a folder of its own. Whatever ran in the build may
// have made its files; their digests are checked when they are pushed.
type image struct {
	dir       string
	base      Base
	mediaType string
	manifest  []byte
}

var blobName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// take takes what a build made out of its container.
func (m *Maker) take(ctx context.Context, j builds.Job, c *docker.Container, base Base) (_ *image, err error) {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return nil, err
	}
	made := &image{base: base}
	if made.dir, err = os.MkdirTemp(m.Dir, "image-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Close())
		}
	}()
	if err := m.copyLayout(ctx, c, made.dir); err != nil {
		return nil, err
	}
	if err := made.read(); err != nil {
		return nil, renga.Errorf(renga.Invalid, "The builder made no image that can be read: %w", err)
	}
	return made, made.mark(j.Labels, j.RunEnv)
}

// copyLayout copies the files of a layout, and nothing else.
func (m *Maker) copyLayout(ctx context.Context, c *docker.Container, dir string) error {
	left := m.ImageBytes
	return c.ReadTree(ctx, layoutDir+"/"+appPath, func(h *tar.Header, body io.Reader) error {
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || name != "index.json" && !blobName.MatchString(name) {
			return nil
		}
		if left -= h.Size; left < 0 && m.ImageBytes > 0 {
			return renga.Errorf(renga.Invalid, "The build made more than %d MB of layers; this platform takes no larger images.",
				m.ImageBytes>>20)
		}
		return writeFile(filepath.Join(dir, name), body)
	})
}

func writeFile(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// read finds the manifest.
func (i *image) read() error {
	var index struct {
		Manifests []struct{ MediaType, Digest string }
	}
	text, err := readJSON(filepath.Join(i.dir, "index.json"), &index)
	if err == nil && len(index.Manifests) != 1 {
		err = fmt.Errorf("its index names %d images: %s", len(index.Manifests), renga.Clip(string(text), 200))
	}
	if err != nil {
		return err
	}
	i.mediaType = index.Manifests[0].MediaType
	var manifest json.RawMessage
	i.manifest, err = readJSON(i.blob(index.Manifests[0].Digest), &manifest)
	return err
}

// blob is where a blob is; nowhere if that is no digest.
func (i *image) blob(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	if !blobName.MatchString(digits) {
		digits = "none"
	}
	return filepath.Join(i.dir, digits)
}

func readJSON(file string, into any) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxJSON:
		return nil, fmt.Errorf("%s is larger than %d bytes", filepath.Base(file), maxJSON)
	}
	return text, json.Unmarshal(text, into)
}

// mark gives the image's config labels and environment variables.
func (i *image) mark(labels, env map[string]string) error {
	var manifest, config, inner map[string]json.RawMessage
	var of struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	}
	var has struct {
		Labels map[string]string
		Env    []string
	}
	err := json.Unmarshal(i.manifest, &manifest)
	if err == nil {
		err = json.Unmarshal(manifest["config"], &of)
	}
	if err == nil {
		_, err = readJSON(i.blob(of.Digest), &config)
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(config["config"], &inner), json.Unmarshal(config["config"], &has))
	}
	if err != nil {
		return renga.Errorf(renga.Invalid, "The builder made an image whose config cannot be read: %w", err)
	}
	if has.Labels == nil {
		has.Labels = map[string]string{}
	}
	for name, value := range labels {
		has.Labels[name] = value
	}
	has.Env = slices.DeleteFunc(has.Env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, ours := env[name]
		return ours
	})
	for name, value := range env {
		has.Env = append(has.Env, name+"="+value)
	}
	slices.Sort(has.Env[len(has.Env)-len(env):])
	inner["Labels"], inner["Env"] = encode(has.Labels), encode(has.Env)
	config["config"] = encode(inner)
	text := encode(config)
	of.Digest, of.Size = "sha256:"+sum(text), int64(len(text))
	manifest["config"] = encode(of)
	i.manifest = encode(manifest)
	err = os.WriteFile(i.blob(of.Digest), text, 0o600)
	return err
}

// encode makes JSON of strings, numbers and what was JSON, which cannot fail.
func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// Manifest implements [builds.Image].
func (i *image) Manifest() (mediaType string, body []byte) { return i.mediaType, i.manifest }

// Open implements [builds.Image].
func (i *image) Open(digest string) (io.ReadCloser, error) {
	f, err := os.Open(i.blob(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return i.base.Open(digest)
	}
	return f, err
}

// Close implements [builds.Image].
func (i *image) Close() error { return os.RemoveAll(i.dir) }

// clearFolder removes all that is in a folder.
func clearFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
