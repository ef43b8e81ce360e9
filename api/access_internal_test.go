package api

import (
	"strings"
	"testing"

	"renga"
)

func TestEveryRouteHasAPolicy(t *testing.T) {
	for _, rt := range new(Server).routes() {
		if _, _, spoken := lineOf(rt.method, rt.path); !spoken {
			t.Errorf("%s %s has no line in access, so nobody may call it", rt.method, rt.path)
		}
		if asked := needOf(rt.method, rt.path); strings.Contains(rt.path, "/{app}") != (asked.app != "") {
			t.Errorf("%s %s asks for the permission %q, which paths with {app} must do and no others can", rt.method, rt.path, asked.app)
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
		"GET /apps/{app}":                                 {renga.ScopeRead, renga.MayView},
		"PATCH /apps/{app}":                               {renga.ScopeWrite, renga.MayOperate},
		"DELETE /apps/{app}":                              {renga.ScopeWrite, renga.MayManage},
		"GET /apps/{app}/releases/{release}":              {renga.ScopeRead, renga.MayView},
		"GET /apps/{app}/releases/{release}/config-vars":  {renga.ScopeReadProtected, renga.MayView},
		"PATCH /apps/{app}/config-vars":                   {renga.ScopeWriteProtected, renga.MayOperate},
		"DELETE /apps/{app}/dynos/{dyno}":                 {renga.ScopeWrite, renga.MayOperate},
		"POST /apps/{app}/dynos":                          {renga.ScopeWriteProtected, renga.MayOperate},
		"POST /apps/{app}/dynos/{dyno}/exec":              {renga.ScopeWriteProtected, renga.MayOperate},
		"GET /apps/{app}/collaborators/{collaborator}":    {renga.ScopeRead, renga.MayView},
		"DELETE /apps/{app}/collaborators/{collaborator}": {renga.ScopeWrite, renga.MayView},
		"POST /apps/{app}/collaborators":                  {renga.ScopeWrite, renga.MayManage},
	} {
		method, path, _ := strings.Cut(route, " ")
		if got := needOf(method, path); got != want {
			t.Errorf("%s asks for %+v, want %+v", route, got, want)
		}
	}
}
