package api_test

import (
	"cmp"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/api"
	"renga/api/wire"

	"github.com/gorilla/mux"
)

// routes gives all routes of the API, by path and method.
func routes() []wire.Route {
	return slices.SortedFunc(slices.Values(api.Routes()), func(a, b wire.Route) int {
		return cmp.Or(cmp.Compare(a.Path(), b.Path()), cmp.Compare(a.Method(), b.Method()))
	})
}

// locked gives the routes that need a token, open those that do not.
func locked() []wire.Route { return slices.DeleteFunc(routes(), wire.Route.Open) }

func open() []wire.Route {
	return slices.DeleteFunc(routes(), func(rt wire.Route) bool { return !rt.Open() })
}

// needOf gives a route's method and path, and what its policy requires.
func needOf(rt wire.Route) (route [2]string, scope renga.Scope, either []renga.Permission) {
	scope, either = rt.Policy().Asks()
	return [2]string{rt.Method(), rt.Path()}, scope, either
}

// paths gives the methods and paths that need a token.
func paths() [][2]string {
	var all [][2]string
	for _, rt := range locked() {
		all = append(all, [2]string{rt.Method(), rt.Path()})
	}
	return all
}

// unneeded gives the fields that are ignored without a warning, by route.
func unneeded() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, rt := range routes() {
		if fields := rt.Unneeded(); len(fields) > 0 {
			all[rt.Method()+" "+rt.Path()] = maps.Clone(fields)
		}
	}
	return all
}

func TestEveryRouteHasAPolicy(t *testing.T) {
	for _, rt := range locked() {
		route, scope, either := needOf(rt)
		if scope == "none" {
			t.Errorf("%s has no policy, so nobody may call it", route)
		}
		if strings.Contains(rt.Path(), "/{app}") != (len(either) > 0) {
			t.Errorf("%s asks for the permissions %q, which paths with {app} must do and no others can", route, either)
		}
	}
}

// TestNoRouteHidesAnother checks all families, because the first route that matches
// a path answers.
func TestNoRouteHidesAnother(t *testing.T) {
	m := mux.NewRouter()
	for _, rt := range api.Routes() {
		m.NewRoute().Path(rt.Path()).Methods(rt.Method())
	}
	for _, rt := range routes() {
		var match mux.RouteMatch
		path := pathOf(rt.Path())
		if !m.Match(httptest.NewRequest(rt.Method(), path, nil), &match) {
			t.Errorf("%s %s is answered by nobody", rt.Method(), path)
			continue
		}
		if by, _ := match.Route.GetPathTemplate(); by != rt.Path() {
			t.Errorf("%s %s is answered by %s, not by %s", rt.Method(), path, by, rt.Path())
		}
	}
}
