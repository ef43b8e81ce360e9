package buildpacks

import (
	"context"
	"encoding/json"
	"slices"

	"renga/builds"
)

// maxSBOM bounds the layer with the lists of what is in the others. It has text, in
// gzip, and is held in memory.
const maxSBOM = 8 << 20

// previousImage is what a build gets of the image before.
type previousImage struct {
	manifest, config []byte
	// sbom is the layer with the lists of what is in the layers (SBOM); nil if there is none.
	// The lifecycle takes the lists of layers that it reuses from there.
	sbom []byte
}

// previous gives the image before; nil if there is none. One whose lists are lost does not
// count, for layers that are reused would have none.
func (m *Maker) previous(ctx context.Context, j builds.Job) *previousImage {
	if j.Previous == nil {
		return nil
	}
	of := &previousImage{manifest: j.Previous.Manifest, config: j.Previous.Config}
	digest := sbomLayer(of.manifest, of.config)
	if digest == "" {
		return of
	}
	var err error
	if of.sbom, err = j.Previous.Blob(ctx, digest, maxSBOM); err != nil {
		m.Log.Warn("the image before is not built on, for the list of what is in it cannot be read",
			"app", j.App.ID, "layer", digest, "err", err)
		return nil
	}
	return of
}

// sbomLayer is the digest of an image's layer with the lists; empty if it has none (platform
// spec, "io.buildpacks.lifecycle.metadata").
func sbomLayer(manifest, config []byte) string {
	var of struct {
		Config struct{ Labels map[string]string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	var has struct{ Layers []struct{ Digest string } }
	var lifecycle struct {
		SBOM struct{ SHA string }
	}
	if json.Unmarshal(config, &of) != nil || json.Unmarshal(manifest, &has) != nil ||
		json.Unmarshal([]byte(of.Config.Labels["io.buildpacks.lifecycle.metadata"]), &lifecycle) != nil {
		return ""
	}
	n := slices.Index(of.RootFS.DiffIDs, lifecycle.SBOM.SHA)
	if n < 0 || n >= len(has.Layers) {
		return ""
	}
	return has.Layers[n].Digest
}
