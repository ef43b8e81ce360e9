package api_test

import (
	"reflect"
	"testing"

	"renga"
	"renga/api/wire"
)

func TestRoutesAskForWhatTheySay(t *testing.T) {
	want := map[string]wire.Policy{
		"GET /apps/{app}":                                 wire.Looking,
		"PATCH /apps/{app}":                               wire.Operating,
		"DELETE /apps/{app}":                              wire.OnApp(renga.ScopeWrite, renga.MayManage),
		"GET /apps/{app}/releases/{release}":              wire.Looking,
		"GET /apps/{app}/releases/{release}/config-vars":  wire.ReadingSecrets,
		"PATCH /apps/{app}/config-vars":                   wire.SettingSecrets,
		"DELETE /apps/{app}/dynos/{dyno}":                 wire.Operating,
		"POST /apps/{app}/dynos":                          wire.SettingSecrets,
		"POST /apps/{app}/dynos/{dyno}/exec":              wire.SettingSecrets,
		"GET /apps/{app}/collaborators/{collaborator}":    wire.Looking,
		"DELETE /apps/{app}/collaborators/{collaborator}": wire.OnApp(renga.ScopeWrite, renga.MayView),
		"POST /apps/{app}/collaborators":                  wire.OnApp(renga.ScopeGlobal, renga.MayManage),
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
