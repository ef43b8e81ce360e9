package addons_test

import (
	"slices"
	"testing"

	"renga"
)

// TestOnlyARotationIsRoutine: what attaches or detaches is not.
func TestOnlyARotationIsRoutine(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	f.must(f.Rotate(t.Context(), a.ID, renga.DefaultCredential, ada))
	f.must(f.Destroy(t.Context(), a.ID, false, ada))
	f.gone(a.ID)
	if got := f.apps.Routine(); !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("routine are %v", got)
	}
}
