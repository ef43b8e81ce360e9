package docker

import (
	"context"

	"github.com/docker/docker/api/types/versions"

	"renga"
)

// zstdAPI is that of Engine 23.0, the first that unpacks zstd layers.
const zstdAPI = "1.42"

// UnpacksZstd says why the daemon cannot unpack layers packed with zstd: it is
// too old, which is of kind renga.Invalid, or away. Nil when it can.
func (e *Engine) UnpacksZstd(ctx context.Context) error {
	if err := e.Ping(ctx); err != nil { // it may have been upgraded meanwhile
		return err
	}
	s, err := e.api(ctx)
	if err != nil {
		return err
	}
	if versions.LessThan(s.offered, zstdAPI) {
		return renga.Errorf(renga.Invalid, "This image has zstd layers, which need Docker Engine 23.0 (API %s) or newer, and the platform's speaks API %s. "+
			"Build it with gzip layers: docker buildx build --output type=image,compression=gzip,force-compression=true,push=true.", zstdAPI, s.offered)
	}
	return nil
}
