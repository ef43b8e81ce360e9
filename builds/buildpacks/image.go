package buildpacks

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"renga/builds"
	"renga/docker"
)

// image is one that a build made, in a folder of its own. Whatever ran in the build may
// have made its files; their digests are checked when they are pushed.
type image struct {
	dir       string
	base      Base
	mediaType string
	manifest  []byte
}

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
		return nil, err
	}
	return made, made.mark(j.Labels, j.RunEnv)
}

// read finds the manifest.
func (i *image) read() error {
	var index struct {
		Manifests []struct{ MediaType, Digest string }
	}
	if _, err := readJSON(filepath.Join(i.dir, indexFile), indexFile, &index); err != nil {
		return err
	}
	if len(index.Manifests) != 1 {
		return unusable("its %s names %d images", indexFile, len(index.Manifests))
	}
	i.mediaType = index.Manifests[0].MediaType
	var manifest json.RawMessage
	var err error
	i.manifest, err = readJSON(i.blob(index.Manifests[0].Digest), "manifest", &manifest)
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

// mark gives the image's config labels and environment variables.
func (i *image) mark(labels, env map[string]string) error {
	var manifest, config, inner object
	var of struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	}
	var has struct {
		Labels map[string]string
		Env    []string
	}
	if json.Unmarshal(i.manifest, &manifest) != nil || json.Unmarshal(manifest["config"], &of) != nil {
		return unusable("its manifest names no config")
	}
	if _, err := readJSON(i.blob(of.Digest), "config", &config); err != nil {
		return err
	}
	if json.Unmarshal(config["config"], &inner) != nil || json.Unmarshal(config["config"], &has) != nil || inner == nil {
		return unusable("its config does not say how it runs")
	}
	if has.Labels == nil {
		has.Labels = map[string]string{}
	}
	maps.Copy(has.Labels, labels)
	has.Env = slices.DeleteFunc(has.Env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, ours := env[name]
		return ours
	})
	for _, name := range slices.Sorted(maps.Keys(env)) {
		has.Env = append(has.Env, name+"="+env[name])
	}
	inner.set("Labels", has.Labels)
	inner.set("Env", has.Env)
	config.set("config", inner)
	text := encode(config)
	of.Digest, of.Size = "sha256:"+sum(text), int64(len(text))
	manifest.set("config", of)
	i.manifest = encode(manifest)
	return os.WriteFile(i.blob(of.Digest), text, 0o600)
}

// object is one of JSON, with all that it has.
type object map[string]json.RawMessage

// set sets a field in place of all that readers might take for it, as Go's do that take
// "labels" for "Labels".
func (o object) set(name string, value any) {
	maps.DeleteFunc(o, func(other string, _ json.RawMessage) bool { return strings.EqualFold(other, name) })
	o[name] = encode(value)
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
