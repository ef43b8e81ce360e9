package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"

	"renga"
)

// unpackedLayer is the size of a layer on the engine's disk. It is measured
// once and kept beside the blob, and removed with it.
type unpackedLayer struct {
	Bytes int64  `json:"bytes"`
	More  bool   `json:"more,omitempty"`  // counting was given up there
	Fault string `json:"fault,omitempty"` // why it cannot be unpacked
}

// measurer measures layers, each once. It leaves half of the processors to the
// apps' requests.
type measurer struct {
	driver *uploadDriver
	limit  int64 // counting is given up above; 0 means that nothing is counted
	slots  chan struct{}
	under  singleflight.Group
}

func newMeasurer(driver *uploadDriver, limit int64) *measurer {
	return &measurer{driver: driver, limit: limit, slots: make(chan struct{}, max(1, goruntime.GOMAXPROCS(0)/2))}
}

// earlyBytes is the size from which a layer is measured as soon as it is
// stored, so that most of the work is done while the client packs the next one.
// A smaller one takes no time when the manifest comes.
const earlyBytes = 1 << 20

// begin measures a new blob in the background if it is packed and not small.
func (s *measurer) begin(dgst string) {
	info, err := os.Stat(s.driver.file(blobData(hexOf(dgst))))
	if s.limit <= 0 || err != nil || info.Size() < earlyBytes {
		return
	}
	if form, err := s.form(dgst); err == nil && (form == formGzip || form == formZstd) {
		s.start(dgst)
	}
}

// measure is the size of a stored layer when unpacked. It is renga.Unavailable
// if ctx ends before that is known; the counting goes on, for the next call.
func (s *measurer) measure(ctx context.Context, dgst string) (unpackedLayer, error) {
	if w, ok := s.load(dgst); ok {
		return w, nil
	}
	select {
	case <-ctx.Done():
		return unpackedLayer{}, &renga.Error{
			Kind: renga.Unavailable, Message: "The image's layers are large and still being looked at. Push again in a minute.",
			Err: ctx.Err(),
		}
	case done := <-s.start(dgst):
		w, _ := done.Val.(unpackedLayer)
		return w, done.Err
	}
}

// start counts in the background, for all who ask meanwhile.
func (s *measurer) start(dgst string) <-chan singleflight.Result {
	return s.under.DoChan(dgst, func() (any, error) {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		if w, ok := s.load(dgst); ok {
			return w, nil
		}
		w, err := s.count(dgst)
		if err == nil {
			s.save(dgst, w)
		}
		return w, err
	})
}

func (s *measurer) count(dgst string) (unpackedLayer, error) {
	f, err := os.Open(s.driver.file(blobData(hexOf(dgst))))
	if err != nil {
		return unpackedLayer{}, fmt.Errorf("weigh layer: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	disk := &faultReader{r: f}
	n, err := unpackedSize(disk, s.limit)
	switch {
	case disk.err != nil:
		return unpackedLayer{}, fmt.Errorf("weigh layer: %w", disk.err)
	case errors.Is(err, errTooLarge):
		return unpackedLayer{Bytes: n, More: true}, nil
	case err != nil:
		return unpackedLayer{Bytes: n, Fault: err.Error()}, nil
	}
	return unpackedLayer{Bytes: n}, nil
}

// load reads the result of an earlier count. One that cannot be read, or was
// given up at a lower limit, is counted again.
func (s *measurer) load(dgst string) (unpackedLayer, bool) {
	raw, err := os.ReadFile(s.file(dgst))
	var w unpackedLayer
	if err != nil || json.Unmarshal(raw, &w) != nil || (w.More && w.Bytes <= s.limit) {
		return unpackedLayer{}, false
	}
	return w, true
}

// save keeps a result for the next time, if it can.
func (s *measurer) save(dgst string, w unpackedLayer) {
	if raw, err := json.Marshal(w); err == nil {
		_ = os.WriteFile(s.file(dgst), raw, 0o600)
	}
}

func (s *measurer) file(dgst string) string {
	return filepath.Join(filepath.Dir(s.driver.file(blobData(hexOf(dgst)))), "unpacked")
}

// form tells by its first bytes how a stored blob is packed.
func (s *measurer) form(dgst string) (form, error) {
	f, err := os.Open(s.driver.file(blobData(hexOf(dgst))))
	if err != nil {
		return "", fmt.Errorf("look at layer: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	head := make([]byte, formBytes)
	n, err := f.ReadAt(head, 0)
	if n == 0 && err != nil && !isEnd(err) {
		return "", fmt.Errorf("look at layer: %w", err)
	}
	return formOf(head[:n]), nil
}

// hexOf is a sha256 digest without its algorithm; all that is stored has one.
func hexOf(dgst string) string { return digest.Digest(dgst).Encoded() }

// measureLayers refuses layers that the engine cannot unpack, and those that
// become more than an image may. A layer that is named twice is unpacked twice.
func (r *Registry) measureLayers(ctx context.Context, layers []contentRef) error {
	var sum int64
	for _, l := range layers {
		if err := r.checkForm(ctx, l.Digest); err != nil {
			return err
		}
		if r.measurer.limit <= 0 {
			continue
		}
		w, err := r.measurer.measure(ctx, l.Digest)
		if err != nil {
			return err
		}
		if w.Fault != "" {
			return renga.Errorf(renga.Invalid, "Layer %s cannot be unpacked (%s). Build the image again, then push it.",
				l.Digest, w.Fault)
		}
		if sum += w.Bytes; sum > r.measurer.limit {
			return renga.Errorf(renga.Invalid, "Unpacked, this image takes more than the %s that this platform allows. Push a "+
				"smaller image.", humanBytes(r.measurer.limit))
		}
	}
	return nil
}

// checkForm refuses what the engine does not know how to unpack.
func (r *Registry) checkForm(ctx context.Context, dgst string) error {
	form, err := r.measurer.form(dgst)
	if err != nil {
		return err
	}
	switch {
	case form == formXZ || form == formBzip2:
		return renga.Errorf(renga.Invalid, "Layer %s is packed with %s. Build the image with gzip layers.", dgst, form)
	case form == formZstd && r.o.UnpacksZstd != nil:
		return r.o.UnpacksZstd(ctx)
	}
	return nil
}
