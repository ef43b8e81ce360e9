package api_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
)

func pendingFourth(w *world) { w.outcomes[4] = renga.Outcome{Status: renga.Pending, At: born} }

func TestCompleteRelease(t *testing.T) {
	const url = "/apps/hello/releases/v4/actions/complete"
	run(t, []scenario{
		{name: "a canary", prepare: tried, method: "POST", url: url, after: audited("release completed"),
			has: []string{`"status":"pending"`, `"canary":{"percent":10,"seconds":300,"until":"2026-01-02T03:04:05Z"}`}},
		{name: "one that is none", prepare: pendingFourth, method: "POST", url: url, status: 422, has: []string{"Release v4 is no canary."}},
		{name: "of another", method: "POST", url: "/apps/other/releases/1/actions/complete", status: 403},
	})
}

func TestCancelRelease(t *testing.T) {
	const url = "/apps/hello/releases/v4/actions/cancel"
	run(t, []scenario{
		{name: "a pending one", prepare: pendingFourth, method: "POST", url: url, has: []string{`"status":"failed"`, `"reason":"Canceled by ada@example.com"`, `"log":[]`},
			after: func(t *testing.T, r *rig, res *http.Response) {
				audited("release canceled")(t, r, res)
				if w := r.world; len(w.woken) != 1 || strings.Join(w.did, ", ") != "Release v4 canceled by "+string(ada.ID) {
					t.Errorf("woken %v, did %q", w.woken, w.did)
				}
			}},
		{name: "one that has failed", method: "POST", url: url, status: 422, has: []string{`"id":"invalid_params"`, "Release v4 has failed already, so it cannot be canceled."}},
		{name: "one that serves", method: "POST", url: "/apps/hello/releases/3/actions/cancel", status: 422},
		{name: "a missing one", method: "POST", url: "/apps/hello/releases/9/actions/cancel", status: 404},
		{name: "of another", method: "POST", url: "/apps/other/releases/1/actions/cancel", status: 403},
	})
}
