package api_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"renga"
	"renga/api"
)

// TestTheZeroPolicyIsRefusedToEverybody: to the widest token too.
func TestTheZeroPolicyIsRefusedToEverybody(t *testing.T) {
	rig := newRig(nil)
	called := false
	route := api.Get("/secrets", api.Policy{}, func(http.ResponseWriter, *http.Request) error {
		called = true
		return nil
	})
	admit := func(http.ResponseWriter, *http.Request) error { return nil }
	door := api.WithVisit(rig.Locked([]api.Route{route}, admit))
	rec := httptest.NewRecorder()
	door.ServeHTTP(rec, asAda(httptest.NewRequest("GET", "/secrets", nil)))
	if called || rec.Code != http.StatusForbidden {
		t.Errorf("a route without a policy answers %d, called: %v", rec.Code, called)
	}
	rec = httptest.NewRecorder()
	nowhere := http.NotFoundHandler()
	api.WithVisit(rig.Unlocked([]api.Route{route}, nowhere)).ServeHTTP(rec, httptest.NewRequest("GET", "/secrets", nil))
	if called || rec.Code != http.StatusNotFound {
		t.Errorf("without a token it answers %d, called: %v", rec.Code, called)
	}
}

func TestRoutesAskForWhatTheySay(t *testing.T) {
	want := map[string]api.Policy{
		"GET /apps/{app}":                                 api.Looking,
		"PATCH /apps/{app}":                               api.Operating,
		"DELETE /apps/{app}":                              api.OnApp(renga.ScopeWrite, renga.MayManage),
		"GET /apps/{app}/releases/{release}":              api.Looking,
		"GET /apps/{app}/releases/{release}/config-vars":  api.ReadingSecrets,
		"PATCH /apps/{app}/config-vars":                   api.SettingSecrets,
		"DELETE /apps/{app}/dynos/{dyno}":                 api.Operating,
		"POST /apps/{app}/dynos":                          api.SettingSecrets,
		"POST /apps/{app}/dynos/{dyno}/exec":              api.SettingSecrets,
		"GET /apps/{app}/collaborators/{collaborator}":    api.Looking,
		"DELETE /apps/{app}/collaborators/{collaborator}": api.OnApp(renga.ScopeWrite, renga.MayView),
		"POST /apps/{app}/collaborators":                  api.OnApp(renga.ScopeGlobal, renga.MayManage),
	}
	for _, rt := range routes() {
		route := rt.Method() + " " + rt.Path()
		if policy, named := want[route]; named && !reflect.DeepEqual(rt.Policy(), policy) {
			t.Errorf("%s asks for %+v, want %+v", route, rt.Policy(), policy)
		}
		delete(want, route)
	}
	if len(want) > 0 {
		t.Errorf("no routes: %v", want)
	}
}
