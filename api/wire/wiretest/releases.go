package wiretest

import (
	"encoding/json"
	"testing"

	"renga"
)

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
func WithPhase(w *FakeRooms) {
	in := w.History[Hello][3].Inputs
	in.Images[renga.ReleaseType] = Image(renga.ReleaseType, 5)
	w.Outcomes[4] = renga.Outcome{Status: renga.Pending, Phase: renga.PhasePassed, At: Born}
	w.Outputs = map[int]string{4: "migrating\ndone\n"}
}
