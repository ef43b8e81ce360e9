package releaser_test

import (
	"testing"

	"renga"
)

// TestAnAddOnsOwnChangeRunsNoReleaseCommandAgain, unless the last one has not gone
// well: what it was to do is not done then.
func TestAnAddOnsOwnChangeRunsNoReleaseCommandAgain(t *testing.T) {
	for _, c := range []struct {
		routine      bool
		before, want renga.ReleasePhase
	}{
		{true, renga.PhasePassed, renga.PhasePassed},
		{true, "", ""},
		{true, renga.ReleasePhase("failed"), ""},
		{false, renga.PhasePassed, ""},
	} {
		w, rel := newFixture()
		app, err := rel.CreateApp(t.Context(), "hello", "ann")
		if err != nil {
			t.Fatal(err)
		}
		w.records[app.ID][0].Outcome.Phase = c.before
		_, err = rel.Change(t.Context(), app.ID, renga.Change{Description: "Update DATABASE", Routine: c.routine,
			Edit: func(in *renga.Inputs) error {
				in.Vars["A"] = "1"
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.records[app.ID][1].Outcome.Phase; got != c.want {
			t.Errorf("%+v: the phase is %q", c, got)
		}
	}
}
