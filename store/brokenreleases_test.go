package store_test

import (
	"slices"
	"testing"
	"time"

	"renga"
)

func TestBrokenReleasesAreNotedUntilTheyAreDealtWith(t *testing.T) {
	s, _ := newStore(t)
	at := time.Now().UTC()
	third := renga.BrokenRelease{App: "shop", Version: 3, Reason: "web.1 crashed", FoundAt: at}
	again := third
	again.Reason, again.FoundAt = "it is found again", at.Add(time.Hour)
	other := renga.BrokenRelease{App: "blog", Version: 9, Reason: "most requests failed", FoundAt: at.Add(-time.Minute)}
	fourth := renga.BrokenRelease{App: "shop", Version: 4, Reason: "web.1 crashed, too", FoundAt: at.Add(time.Minute)}
	for _, step := range []struct {
		do   func() error
		want []renga.BrokenRelease
	}{
		{func() error { return nil }, nil},
		{func() error { return s.AddBrokenRelease(t.Context(), third) }, []renga.BrokenRelease{third}},
		{func() error { return s.AddBrokenRelease(t.Context(), again) }, []renga.BrokenRelease{third}},
		{func() error { return s.AddBrokenRelease(t.Context(), other) }, []renga.BrokenRelease{other, third}},
		{func() error { return s.AddBrokenRelease(t.Context(), fourth) }, []renga.BrokenRelease{other, fourth}},
		{func() error { return s.AddBrokenRelease(t.Context(), third) }, []renga.BrokenRelease{other, fourth}},
		{func() error { return s.RemoveBrokenRelease(t.Context(), third) }, []renga.BrokenRelease{other, fourth}},
		{func() error { return s.RemoveBrokenRelease(t.Context(), fourth) }, []renga.BrokenRelease{other}},
		{func() error { return s.RemoveBrokenRelease(t.Context(), fourth) }, []renga.BrokenRelease{other}},
	} {
		check(t, step.do())
		got, err := s.BrokenReleases(t.Context())
		check(t, err)
		if !slices.Equal(got, step.want) {
			t.Fatalf("noted are %+v, want %+v", got, step.want)
		}
	}
}
