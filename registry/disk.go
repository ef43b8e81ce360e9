package registry

import (
	"cmp"
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
	level, free, err := r.o.Disk.Look()
	if err != nil {
		return err
	}
	if level == durable.Full {
		return renga.Errorf(renga.Forbidden,
			"The platform's disk is nearly full (%s free, %s needed). Make room, then push again.",
			humanBytes(free), humanBytes(r.o.Disk.Full))
	}
	return nil
}

// checkQuota refuses when an app has as much content as it may, or will have with so
// many bytes more. Its dynos, pulls and rollbacks go on.
func (r *Registry) checkQuota(rq request, more int64) error {
	quota := cmp.Or(rq.app.DiskQuota, r.o.AppQuota)
	if quota <= 0 {
		return nil
	}
	content, uploads, err := r.gate.use.of(rq.call.app)
	if err != nil {
		return err
	}
	if used := content + uploads; used+more > quota {
		return renga.Errorf(renga.Forbidden, "The app %s has %s of images in the registry, and its quota is %s. Delete tags, or "+
			"keep the images of fewer releases, and have the operator run renga gc; or ask for a higher quota.",
			rq.call.app, humanBytes(used), humanBytes(quota))
	}
	return nil
}

// AppContent is how many bytes each app has, by the app's name, and how many there are in
// all: what several apps have counts once.
func (r *Registry) AppContent(ctx context.Context) (map[string]renga.ContentUse, int64, error) {
	return r.gate.use.all(ctx)
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
