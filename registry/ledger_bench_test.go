package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"renga"
)

// benchLedger is an app with three images of five layers and 40 config vars.
func benchLedger(b *testing.B) (*ledgerFixture, renga.Release) {
	w := newLedgerFixture(b)
	images := map[renga.ProcessType]renga.Image{}
	for _, t := range []renga.ProcessType{"web", "worker", "clock"} {
		images[t] = w.push("shop/"+string(t), 5)
	}
	r := w.release(2, w.chain(1, nil)[1], images)
	for n := range 40 {
		r.Inputs.Vars[fmt.Sprintf("CONFIG_VAR_%02d", n)] = strings.Repeat("x", 48)
	}
	return w, r
}

// BenchmarkLedgerPut is a config change of a running app: the images are in the
// ledger already.
func BenchmarkLedgerPut(b *testing.B) {
	w, r := benchLedger(b)
	r.Previous = w.put(r)
	for b.Loop() {
		r.Version++
		r.Previous = w.put(r)
	}
}

// BenchmarkLedgerPutNewImages links three new images of five layers each.
func BenchmarkLedgerPutNewImages(b *testing.B) {
	w, r := benchLedger(b)
	for b.Loop() {
		b.StopTimer()
		for t := range r.Inputs.Images {
			r.Inputs.Images[t] = w.push("shop/"+string(t), 5)
		}
		b.StartTimer()
		r.Previous = w.put(r)
		r.Version++
	}
}

func BenchmarkLedgerGet(b *testing.B) {
	w, r := benchLedger(b)
	digest := w.put(r)
	for b.Loop() {
		w.get(digest)
	}
}

func BenchmarkLedgerPresent(b *testing.B) {
	w, r := benchLedger(b)
	w.put(r)
	for b.Loop() {
		if err := w.Present(context.Background(), ledgerShop, r.Inputs.Images); err != nil {
			b.Fatal(err)
		}
	}
}
