package wiretest

import (
	"encoding/json"
	"testing"

	"renga"
)

// Record is how the store has a release.
func (r *Fixture) Record(t *testing.T, app renga.AppID, version int) renga.ReleaseRecord {
	t.Helper()
	rec, err := r.DB.Release(t.Context(), app, version)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// Versions is how many releases an app has.
func (r *Fixture) Versions(t *testing.T, app renga.AppID) int {
	t.Helper()
	head, err := r.DB.Head(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return head.Version
}

// IDOf asks for the id of a release of hello.
func IDOf(t *testing.T, fixture *Fixture, version int) string {
	t.Helper()
	_, body := fixture.Ask("GET", "/apps/hello/releases/"+renga.VersionName(version), "", nil)
	var release struct{ ID string }
	if err := json.Unmarshal([]byte(body), &release); err != nil || release.ID == "" {
		t.Fatalf("no release: %s", body)
	}
	return release.ID
}

// WithPhase gives the newest release of hello a release command that passed.
func WithPhase(s *Seed) {
	s.Releases[Hello][3].Inputs.Images[renga.ReleaseType] = Image(renga.ReleaseType, 5)
	s.Releases[Hello][3].Outcome = renga.Outcome{Status: renga.Pending, Phase: renga.PhasePassed, At: Born}
}
