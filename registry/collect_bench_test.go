package registry_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
)

// stored is a storage that is filled past the registry, for that takes its time. All in
// it is old.
type stored struct {
	root string
	old  time.Time
}

func (s stored) write(b *testing.B, path string, content []byte) {
	b.Helper()
	path = filepath.Join(s.root, "docker/registry/v2", path)
	must(b, os.MkdirAll(filepath.Dir(path), 0o700))
	must(b, os.WriteFile(path, content, 0o600))
	must(b, os.Chtimes(path, s.old, s.old))
	must(b, os.Chtimes(filepath.Dir(path), s.old, s.old))
}

func (s stored) blob(b *testing.B, hex string, content []byte) {
	b.Helper()
	s.write(b, "blobs/sha256/"+hex[:2]+"/"+hex+"/data", content)
}

func (s stored) layer(b *testing.B) (hexDigits string) {
	b.Helper()
	raw := make([]byte, 32)
	_, err := rand.Read(raw)
	must(b, err)
	hexDigits = hex.EncodeToString(raw)
	s.blob(b, hexDigits, raw)
	s.write(b, "repositories/hello/web/_layers/sha256/"+hexDigits+"/link", []byte("sha256:"+hexDigits))
	return hexDigits
}

// image is an image of so many layers, with a tag if it has a name. It gives their
// digits.
func (s stored) image(b *testing.B, layers int, tag string) (hexes []string) {
	b.Helper()
	type ref struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	doc := struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
		Config        ref    `json:"config"`
		Layers        []ref  `json:"layers"`
	}{SchemaVersion: 2, MediaType: "application/vnd.oci.image.manifest.v1+json"}
	doc.Config = ref{"application/vnd.oci.image.config.v1+json", "sha256:" + s.layer(b), 32}
	for range layers {
		hexes = append(hexes, s.layer(b))
		doc.Layers = append(doc.Layers, ref{"application/vnd.oci.image.layer.v1.tar", "sha256:" + hexes[len(hexes)-1], 32})
	}
	raw, err := json.Marshal(doc)
	must(b, err)
	dgst := digest.FromBytes(raw)
	s.blob(b, dgst.Encoded(), raw)
	s.write(b, "repositories/hello/web/_manifests/revisions/sha256/"+dgst.Encoded()+"/link", []byte(dgst))
	if tag != "" {
		s.write(b, "repositories/hello/web/_manifests/tags/"+tag+"/current/link", []byte(dgst))
	}
	return hexes
}

// meet asks for content just when it is removed, again and again: for that which comes
// after what is put aside now. Chance alone would meet no removal in a day. It tells for
// how much it asked.
func (f *collectFixture) meet(b *testing.B, doomed []string, until <-chan struct{}) (asked int) {
	slices.Sort(doomed)
	last := -1
	for {
		select {
		case <-until:
			return asked
		default:
		}
		aside, err := os.ReadDir(filepath.Join(f.options.Dir, "removed"))
		if err != nil || len(aside) == 0 {
			time.Sleep(50 * time.Microsecond) // nothing is removed right now; the machine is not to be used up by asking
			continue
		}
		at, found := slices.BinarySearch(doomed, aside[0].Name())
		if !found || at == last || at+1 == len(doomed) {
			continue
		}
		last = at
		f.do(b, "alice-token", http.MethodHead, "/v2/hello/web/blobs/sha256:"+doomed[at+1], nil, nil)
		asked++
	}
}

// BenchmarkCollect marks and sweeps 100,000 pieces of content, half of which are needed,
// while somebody pushes and somebody asks for what is just being removed: how long that
// takes, the memory on top, the longest that a request waited for a removal, and the
// slowest push with and without it.
func BenchmarkCollect(b *testing.B) {
	const images, layers = 500, 98 // with a config and a manifest 100 pieces each
	f := newCollectFixture(b, time.Hour, 0)
	s := stored{f.options.Dir, time.Now().Add(-48 * time.Hour)}
	var doomed []string
	for n := range images {
		s.image(b, layers, "kept-"+hex.EncodeToString([]byte{byte(n >> 8), byte(n)}))
		doomed = append(doomed, s.image(b, layers, "")...)
	}
	slowest := func(until <-chan struct{}) time.Duration {
		var worst time.Duration
		for {
			select {
			case <-until:
				return worst
			default:
			}
			img := image(b)
			begun := time.Now()
			if err := remote.Write(f.ref(b, "hello/web:pushed"), img, as("alice-token")...); err != nil {
				b.Error(err)
			}
			worst = max(worst, time.Since(begun))
		}
	}
	alone := make(chan struct{})
	time.AfterFunc(5*time.Second, func() { close(alone) })
	without := slowest(alone)
	goruntime.GC()
	var before goruntime.MemStats
	goruntime.ReadMemStats(&before)
	done := make(chan struct{})
	var peak uint64
	var with time.Duration
	var met int
	var beside sync.WaitGroup
	beside.Go(func() { with = slowest(done) })
	beside.Go(func() { met = f.meet(b, doomed, done) })
	beside.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			var now goruntime.MemStats
			goruntime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	got := f.collect(b, false)
	close(done)
	beside.Wait()
	// What was asked for in time stays.
	if got.Removed > images*(layers+2) || got.Removed+met < images*(layers+2) || got.Kept < images*(layers+2) {
		b.Errorf("%d removed, %d kept, %d asked for", got.Removed, got.Kept, met)
	}
	for b.Loop() { // there is nothing to repeat
		continue
	}
	b.ReportMetric(got.Took.Seconds(), "s")
	b.ReportMetric(float64(peak-before.HeapInuse)/(1<<20), "MB")
	b.ReportMetric(float64(got.LongestHold.Microseconds())/1000, "ms-hold")
	b.ReportMetric(float64(met), "asked-for")
	b.ReportMetric(float64(got.LongestWait.Microseconds())/1000, "ms-waited")
	b.ReportMetric(float64(with.Milliseconds()), "ms-slowest-push")
	b.ReportMetric(float64(without.Milliseconds()), "ms-slowest-push-alone")
}
