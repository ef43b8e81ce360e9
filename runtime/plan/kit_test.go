package plan_test

import (
	"slices"
	"testing"

	"renga/runtime/plan/plantest"
)

const app = plantest.App

var record, formation = plantest.Record, plantest.Formation

// is compares lists of words.
func is(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q; want %q", what, got, want)
	}
}
