package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"renga"
	"renga/durable"
)

// fullBytes is how little free space counts as a full disk: file systems keep
// some blocks back, and an upload stops at the first block it does not get.
const fullBytes = 1 << 20

// checkEvery is how many bytes of an upload may come between two looks at the
// free space.
const checkEvery = 4 << 20

var errDiskFull = renga.Errorf(renga.NoSpace,
	"The platform's disk is full, and the push could not be stored. Make room, then push again.")

// checkSpace refuses when a push would leave too little of the disk: Redis and
// the dynos' logs may share it.
func (r *Registry) checkSpace() error {
	if r.o.MinFreeBytes <= 0 {
		return nil
	}
	free, err := durable.FreeBytes(r.o.Dir)
	if err != nil {
		return err
	}
	if free < r.o.MinFreeBytes {
		return renga.Errorf(renga.Forbidden,
			"The platform's disk is nearly full (%s free, %s needed). Make room, then push again.",
			humanBytes(free), humanBytes(r.o.MinFreeBytes))
	}
	return nil
}

// checkEngineSpace refuses what the engine has no room for. An engine that does
// not tell now is asked again before it pulls the image.
func (r *Registry) checkEngineSpace(ctx context.Context) error {
	if r.o.MinFreeBytes <= 0 || r.o.EngineFree == nil {
		return nil
	}
	free, err := r.o.EngineFree(ctx)
	if err != nil || free >= r.o.MinFreeBytes {
		return nil
	}
	return renga.Errorf(renga.Forbidden, "Docker's disk is nearly full (%s free, %s needed). Make room, for instance "+
		"with docker image prune, then push again.",
		humanBytes(free), humanBytes(r.o.MinFreeBytes))
}

func (r *Registry) diskFull() bool {
	free, err := durable.FreeBytes(r.o.Dir)
	return err == nil && free < max(fullBytes, r.o.MinFreeBytes)
}

// meteredBody is a request's body that ends with an error when it is too large
// or the disk is too full. denied then says why.
type meteredBody struct {
	io.ReadCloser
	space     func() error
	limited   bool
	limit     int64 // bytes that may still come, if limited
	unchecked int64 // bytes since the last look at the disk
	denied    error
}

var errCutBody = errors.New("upload stopped")

// Read reads on as long as that is allowed.
func (b *meteredBody) Read(p []byte) (int, error) {
	if b.denied != nil {
		return 0, errCutBody
	}
	n, err := b.ReadCloser.Read(p)
	b.limit -= int64(n)
	b.unchecked += int64(n)
	if b.limited && b.limit < 0 {
		b.denied = renga.Errorf(renga.Invalid,
			"This layer makes the image larger than the platform takes. Push a smaller image, or ask for a higher limit.")
	} else if b.unchecked >= checkEvery {
		b.unchecked = 0
		b.denied = b.space()
	}
	if b.denied != nil {
		return 0, errCutBody
	}
	return n, err
}

// humanBytes writes a size as people read it: 512 B, 3.0 KiB, 1.2 GiB.
func humanBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
