package runtime_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"renga"
)

func TestSamplesAreOfAllThatRuns(t *testing.T) {
	withRelease(t, func(h *fixture) {
		h.scale("web=1 worker=2")
		h.after(5 * time.Second)
		samples, err := h.m.Samples(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range samples {
			names = append(names, s.Name)
			if s.App.Name != "shop" || s.Dyno == "" || s.Memory() != 1<<20 || s.CPU <= 0 || s.At.Sub(s.Started) != s.CPU {
				t.Errorf("%+v", s)
			}
		}
		slices.Sort(names)
		if want := []string{"web.1", "worker.1", "worker.2"}; !slices.Equal(names, want) {
			t.Errorf("samples of %q, want %q", names, want)
		}
		h.Memory.Away()
		if samples, err = h.m.Samples(context.Background()); renga.KindOf(err) != renga.Unavailable || len(samples) != 0 {
			t.Errorf("while the engine is away: %+v, %v", samples, err)
		}
		h.Memory.Back()
	})
}
