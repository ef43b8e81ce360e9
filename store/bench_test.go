package store_test

import (
	"fmt"
	"testing"

	"renga"
)

func BenchmarkDesired(b *testing.B) {
	s, _ := newStore(b)
	a := createApp(b, s, "haiku")
	for v := 2; v <= 20; v++ {
		commit(b, s, a.ID, v)
		setStatus(b, s, a.ID, v, renga.Succeeded)
	}
	for b.Loop() {
		if _, err := s.Desired(b.Context(), a.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s, _ := newStore(b)
	a := createApp(b, s, "haiku")
	v := 1
	for b.Loop() {
		v++
		commit(b, s, a.ID, v)
	}
}

// BenchmarkStart is what a start of the platform reads: all apps, and what
// each should be.
func BenchmarkStart(b *testing.B) {
	s, _ := newStore(b)
	for i := range 1000 {
		a := createApp(b, s, fmt.Sprintf("app-%d", i))
		for v := 2; v <= 20; v++ {
			r := deploy(a.ID, v)
			r.Outcome.Status = renga.Succeeded
			check(b, s.Commit(b.Context(), r, "", webFill()))
		}
	}
	for b.Loop() {
		apps, err := s.Apps(b.Context())
		check(b, err)
		for _, a := range apps {
			if _, err := s.Desired(b.Context(), a.ID); err != nil {
				b.Fatal(err)
			}
		}
	}
}
