package releases_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func pendingFourth(w *wiretest.FakeRooms) {
	w.Outcomes[4] = renga.Outcome{Status: renga.Pending, At: wiretest.Born}
}

func TestCompleteRelease(t *testing.T) {
	const url = "/apps/hello/releases/v4/actions/complete"
	run(t, []scenario{
		{Name: "a canary", Prepare: tried, Method: "POST", URL: url, After: wiretest.Audited("release completed"),
			Has: []string{
				`"status":"pending"`, `"canary":{"percent":10,"seconds":300,"until":"2026-01-02T03:04:05Z"}`,
			}},
		{
			Name: "one that is none", Prepare: pendingFourth, Method: "POST", URL: url, Status: 422,
			Has: []string{"Release v4 is no canary."},
		},
		{Name: "of another", Method: "POST", URL: "/apps/other/releases/1/actions/complete", Status: 403},
	})
}

func TestCancelRelease(t *testing.T) {
	const url = "/apps/hello/releases/v4/actions/cancel"
	run(t, []scenario{
		{Name: "a pending one", Prepare: pendingFourth, Method: "POST", URL: url, Has: []string{
			`"status":"failed"`, `"reason":"Canceled by ada@example.com"`, `"log":[]`},
			After: func(t *testing.T, r *fixture, res *http.Response) {
				wiretest.Audited("release canceled")(t, r, res)
				if w := r.FakeRooms; len(w.Woken) != 1 ||
					strings.Join(w.Said, ", ") != "Release v4 canceled by "+string(wiretest.Ada.ID) {
					t.Errorf("woken %v, did %q", w.Woken, w.Said)
				}
			}},
		{
			Name: "one that has failed", Method: "POST", URL: url, Status: 422,
			Has: []string{`"id":"invalid_params"`, "Release v4 has failed already, so it cannot be canceled."},
		},
		{Name: "one that serves", Method: "POST", URL: "/apps/hello/releases/3/actions/cancel", Status: 422},
		{Name: "a missing one", Method: "POST", URL: "/apps/hello/releases/9/actions/cancel", Status: 404},
		{Name: "of another", Method: "POST", URL: "/apps/other/releases/1/actions/cancel", Status: 403},
	})
}
