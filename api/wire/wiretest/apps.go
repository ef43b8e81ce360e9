package wiretest

import (
	"maps"
	"slices"
	"testing"

	"renga"
)

// App is how the store has an app.
func (r *Fixture) App(t *testing.T, id renga.AppID) renga.App {
	t.Helper()
	a, err := r.DB.App(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Edit changes an app in the store.
func (r *Fixture) Edit(t *testing.T, id renga.AppID, change func(*renga.App)) {
	t.Helper()
	if _, err := r.DB.UpdateApp(t.Context(), id, func(a *renga.App) error { change(a); return nil }); err != nil {
		t.Fatal(err)
	}
}

// SwitchOff switches a feature of hello off.
func (r *Fixture) SwitchOff(t *testing.T, feature string) {
	t.Helper()
	r.Edit(t, Hello, func(a *renga.App) { a.Features = map[string]bool{feature: false} })
}

// Scale is how many dynos of a process type of hello there are to be.
func (r *Fixture) Scale(t *testing.T, of renga.ProcessType) (scale renga.Scale, named bool) {
	t.Helper()
	f, err := r.DB.Formation(t.Context(), Hello)
	if err != nil {
		t.Fatal(err)
	}
	scale, named = f[of]
	return scale, named
}

// Restarts are what of hello was restarted or stopped: dynos, process types, all.
func (r *Fixture) Restarts(t *testing.T) []string {
	t.Helper()
	desired, err := r.DB.Desired(t.Context(), Hello)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(desired.Restarts))
}
