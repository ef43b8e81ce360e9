package releases_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/api/wire/wiretest"
)

func pendingFourth(s *wiretest.Seed) {
	s.Releases[wiretest.Hello][3].Outcome = renga.Outcome{Status: renga.Pending, At: wiretest.Born}
}

func TestCompleteRelease(t *testing.T) {
	const url = "/apps/hello/releases/v4/actions/complete"
	run(t, []scenario{
		{Name: "a canary", Prepare: tried, Method: "POST", URL: url, Has: []string{
			`"status":"pending"`, `"canary":{"percent":10,"seconds":300,"until":"`},
			After: func(t *testing.T, r *fixture, res *http.Response) {
				wiretest.Audited("release completed")(t, r, res)
				if o := r.Record(t, wiretest.Hello, 4).Outcome; o.CanaryUntil.After(time.Now()) || o.CanaryUntil.IsZero() {
					t.Errorf("its time goes on until %s", o.CanaryUntil)
				}
			}},
		{
			Name: "one that is none", Prepare: pendingFourth, Method: "POST", URL: url, Status: 422,
			Has: []string{"Release v4 is no canary:"},
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
				if len(r.Reconciled) != 1 ||
					strings.Join(r.Noted, ", ") != "Release v4 canceled by "+string(wiretest.Ada.ID) {
					t.Errorf("reconciled %v, did %q", r.Reconciled, r.Noted)
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
