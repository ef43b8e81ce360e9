package api

import (
	"reflect"
	"strings"
	"testing"

	"renga"
)

func TestEveryRouteHasAPolicy(t *testing.T) {
	for _, rt := range new(Server).routes() {
		if _, _, spoken := lineOf(rt.method, rt.path); !spoken {
			t.Errorf("%s %s has no line in access, so nobody may call it", rt.method, rt.path)
		}
		if asked := needOf(rt.method, rt.path); strings.Contains(rt.path, "/{app}") != (len(asked.app) > 0) {
			t.Errorf("%s %s asks for the permissions %q, which paths with {app} must do and no others can", rt.method, rt.path, asked.app)
		}
	}
}

func TestRoutesThatNobodySpeaksForAreRefused(t *testing.T) {
	for _, path := range []string{"/apps/{app}/secrets", "/account/secrets", "/nowhere", "/"} {
		if line, _, spoken := lineOf("GET", path); spoken {
			t.Errorf("%s is spoken for by %q", path, line)
		}
	}
}

func TestTheMostExactPolicyHolds(t *testing.T) {
	for route, want := range map[string]need{
		"GET /apps/{app}":                                 looking,
		"PATCH /apps/{app}":                               operating,
		"DELETE /apps/{app}":                              onApp(renga.ScopeWrite, renga.MayManage),
		"GET /apps/{app}/releases/{release}":              looking,
		"GET /apps/{app}/releases/{release}/config-vars":  readSecrets,
		"PATCH /apps/{app}/config-vars":                   setSecrets,
		"DELETE /apps/{app}/dynos/{dyno}":                 operating,
		"POST /apps/{app}/dynos":                          setSecrets,
		"POST /apps/{app}/dynos/{dyno}/exec":              setSecrets,
		"GET /apps/{app}/collaborators/{collaborator}":    looking,
		"DELETE /apps/{app}/collaborators/{collaborator}": onApp(renga.ScopeWrite, renga.MayView),
		"POST /apps/{app}/collaborators":                  onApp(renga.ScopeGlobal, renga.MayManage),
	} {
		method, path, _ := strings.Cut(route, " ")
		if got := needOf(method, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s asks for %+v, want %+v", route, got, want)
		}
	}
}
