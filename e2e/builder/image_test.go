package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image is an image in OCI's layout: files by their path in its folder. Layers of the images below need not be there.
type image map[string][]byte

// blob is the path of a blob.
func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// put adds a blob of JSON.
func (i image) put(t *testing.T, kind types.MediaType, value any) v1.Descriptor {
	t.Helper()
	content, err := json.Marshal(value)
	check(t, err)
	sum := sha256.Sum256(content)
	d := v1.Descriptor{
		MediaType: kind, Size: int64(len(content)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
	}
	i[blob(d.Digest)] = content
	return d
}

// digest is of the image's manifest.
func (i image) digest(t *testing.T) v1.Hash {
	t.Helper()
	index, err := v1.ParseIndexManifest(bytes.NewReader(i["index.json"]))
	check(t, err)
	return index.Manifests[0].Digest
}

func (i image) manifest(t *testing.T) *v1.Manifest {
	t.Helper()
	manifest, err := v1.ParseManifest(bytes.NewReader(i[blob(i.digest(t))]))
	check(t, err)
	return manifest
}

func (i image) config(t *testing.T) *v1.ConfigFile {
	t.Helper()
	config, err := v1.ParseConfigFile(bytes.NewReader(i[blob(i.manifest(t).Config.Digest)]))
	check(t, err)
	return config
}

// processes are the commands of the process types, without the shell.
func (i image) processes(t *testing.T) map[string]string {
	t.Helper()
	var metadata struct {
		Processes []struct {
			Type    string
			Command []string
			Args    []string
		}
	}
	check(t, json.Unmarshal([]byte(i.config(t).Config.Labels["io.buildpacks.build.metadata"]), &metadata))
	commands := map[string]string{}
	for _, process := range metadata.Processes {
		command := strings.Join(append(process.Command, process.Args...), " ")
		commands[process.Type] = strings.TrimPrefix(command, "bash -c ")
	}
	return commands
}

// sbomLayer is the path of the layer with the lists of what is in the others.
func (i image) sbomLayer(t *testing.T) string {
	t.Helper()
	config := i.config(t)
	var metadata struct{ SBOM struct{ SHA v1.Hash } }
	check(t, json.Unmarshal([]byte(config.Config.Labels["io.buildpacks.lifecycle.metadata"]), &metadata))
	n := slices.Index(config.RootFS.DiffIDs, metadata.SBOM.SHA)
	if n < 0 {
		t.Fatalf("no layer is the one with SBOMs, %v", metadata.SBOM.SHA)
	}
	return blob(i.manifest(t).Layers[n].Digest)
}

// sboms are these lists, all in one.
func (i image) sboms(t *testing.T) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(i[i.sbomLayer(t)]))
	check(t, err)
	content, err := io.ReadAll(r)
	check(t, err)
	return string(content)
}

// unpack reads an image from an archive of its folder.
func unpack(t *testing.T, archive []byte) image {
	t.Helper()
	found := image{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		check(t, err)
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		check(t, err)
		_, name, _ := strings.Cut(header.Name, "/") // without the folder
		found[name] = content
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
