package router_test

import (
	"net/http"
	"testing"

	"renga"
	"renga/router"
)

func TestATargetsRequestsAreCounted(t *testing.T) {
	f := newFixture(t, router.Options{})
	target := backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			http.NotFound(w, r)
		case "/broken":
			http.Error(w, "broken", http.StatusInternalServerError)
		case "/cut":
			panic(http.ErrAbortHandler)
		}
	})
	f.serve(target)
	for _, path := range []string{"/", "/missing", "/broken", "/cut"} {
		f.get(t, path)
		f.record(t)
	}
	if got := f.Tally(appID, target.ID); got != (renga.Tally{Requests: 4, Failed: 2}) {
		t.Errorf("counted %+v", got)
	}
	refuser := refusing(t)
	f.serve(refuser)
	f.wantPage(t, 503, router.H21)
	if got := f.Tally(appID, refuser.ID); got != (renga.Tally{Requests: 1, Failed: 1}) {
		t.Errorf("counted %+v for a dyno that refuses", got)
	}
	if got := f.Tally(appID, "nobody"); got != (renga.Tally{}) {
		t.Errorf("counted %+v for nobody", got)
	}
}
