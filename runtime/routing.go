package runtime

import (
	"reflect"
	"slices"

	"renga"
	"renga/runtime/plan"
)

// routing is what the router was told of an app.
type routing struct {
	*appScope
	routed *renga.Route // last
	// announced is what the router was told while the engine could not be asked.
	announced *renga.Route
}

// knows tells whether the router was told of a route last.
func (r *routing) knows(route renga.Route) bool {
	return r.routed != nil && reflect.DeepEqual(*r.routed, route)
}

// tell replaces the app's route.
func (r *routing) tell(route renga.Route) {
	r.m.rt.Route(route)
	r.routed = &route
}

// shows tells whether a route has a dyno that the router was not told of last.
func (r *routing) shows(route renga.Route) bool {
	known := map[string]bool{}
	if r.routed != nil {
		for _, t := range slices.Concat(r.routed.Targets, r.routed.Canary) {
			known[t.ID] = true
		}
	}
	return slices.ContainsFunc(slices.Concat(route.Targets, route.Canary), func(t renga.Target) bool { return !known[t.ID] })
}

// announce tells the router of an app before the engine could be asked for its
// dynos, so that its requests wait for them and are not told that there is no
// such app. A route that is known already stays.
func (r *routing) announce(world plan.World) {
	if r.routed != nil || world.Gone {
		return
	}
	if route := world.Plan().Route; r.announced == nil || !reflect.DeepEqual(*r.announced, route) {
		r.m.rt.Route(route)
		r.announced = &route
	}
}
