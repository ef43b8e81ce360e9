package buildpacks

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"renga/builds"
)

// Where things are in the container of a build.
const (
	workspace   = "/workspace"
	layersDir   = "/layers"
	platformDir = "/platform"
	cacheDir    = "/cache"
	layoutDir   = "/layout"
)

// Images are named by references, and are where those say, below layoutDir: the host, the
// repository, the tag. These names mean nothing outside of the container.
const (
	runRef, runPath           = "renga.local/run:latest", "renga.local/run/latest"
	previousRef, previousPath = "renga.local/previous:latest", "renga.local/previous/latest"
	appRef, appPath           = "renga.local/app:latest", "renga.local/app/latest"
)

// Media types, and what a layout's marker file says (OCI image-spec v1.1).
const (
	typeOCIManifest = "application/vnd.oci.image.manifest.v1+json"
	layoutMarker    = `{"imageLayoutVersion":"1.0.0"}`
)

// inputs are what a build gets.
type inputs struct {
	job      builds.Job
	builder  builder
	base     Base
	previous *previousImage // nil for none
	order    string         // order.toml; empty for the builder's own
}

// write writes them into the build's container.
func (in inputs) write(w *tar.Writer) error {
	files := files{w: w, uid: in.builder.uid, gid: in.builder.gid}
	for _, folder := range []string{workspace, layersDir, cacheDir, layoutDir, platformDir, platformDir + "/env"} {
		files.folder(folder)
	}
	env := map[string]string{}
	maps.Copy(env, in.job.Env)
	if commit := in.job.Build.Source.Commit; commit != "" {
		env["SOURCE_VERSION"] = commit
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.Contains(name, "/") { // it is the name of a file
			files.file(platformDir+"/env/"+name, []byte(env[name]))
		}
	}
	if in.order != "" {
		files.file(platformDir+"/order.toml", []byte(in.order))
	}
	files.layout(runPath, in.base.MediaType, in.base.Manifest, in.base.Config)
	if p := in.previous; p != nil {
		files.layout(previousPath, mediaTypeOf(p.manifest), p.manifest, p.config)
		if p.sbom != nil {
			files.blob(previousPath, p.sbom)
		}
	}
	if files.err != nil {
		return files.err
	}
	return in.job.Source(w, workspace[1:], in.builder.uid, in.builder.gid)
}

// files writes files; the first error stays.
type files struct {
	w        *tar.Writer
	uid, gid int
	err      error
}

func (f *files) folder(path string) {
	f.header(&tar.Header{Typeflag: tar.TypeDir, Name: path[1:] + "/", Mode: 0o755})
}

func (f *files) file(path string, content []byte) {
	f.header(&tar.Header{Typeflag: tar.TypeReg, Name: path[1:], Mode: 0o644, Size: int64(len(content))})
	if f.err == nil {
		_, f.err = f.w.Write(content)
	}
}

func (f *files) header(h *tar.Header) {
	h.Uid, h.Gid = f.uid, f.gid
	if f.err == nil {
		f.err = f.w.WriteHeader(h)
	}
}

// layout writes an image without its layers. Each folder on the way gets its owner.
func (f *files) layout(at, mediaType string, manifest, config []byte) {
	path := layoutDir
	for part := range strings.SplitSeq(at+"/blobs/sha256", "/") {
		path += "/" + part
		f.folder(path)
	}
	root := layoutDir + "/" + at
	f.file(root+"/oci-layout", []byte(layoutMarker))
	f.file(root+"/index.json", fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		mediaType, "sha256:"+sum(manifest), len(manifest)))
	f.blob(at, manifest)
	f.blob(at, config)
}

func (f *files) blob(at string, content []byte) {
	f.file(layoutDir+"/"+at+"/blobs/sha256/"+sum(content), content)
}

func sum(content []byte) string {
	of := sha256.Sum256(content)
	return hex.EncodeToString(of[:])
}

// mediaTypeOf is what a manifest says of itself, which one of OCI's need not.
func mediaTypeOf(manifest []byte) string {
	var says struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(manifest, &says) != nil || says.MediaType == "" {
		return typeOCIManifest
	}
	return says.MediaType
}
