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
	held      int  // the release for which requests were held last
	holding   bool // requests wait for the next route
}

// knows tells whether the router was told of a route last, and waits for no other.
func (r *routing) knows(route renga.Route) bool {
	return r.routed != nil && !r.holding && reflect.DeepEqual(*r.routed, route)
}

// tell replaces the app's route.
func (r *routing) tell(route renga.Route) {
	r.m.rt.Route(route)
	r.routed, r.holding = &route, false
}

// hold has requests wait for the route that gives them the release: once for each,
// for a store that takes nothing must not slow the app down again and again.
func (r *routing) hold(version int) {
	if r.held == version {
		return
	}
	r.m.rt.Hold(r.app)
	r.held, r.holding = version, true
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
func (r *routing) announce(state plan.State) {
	if r.routed != nil || state.Gone {
		return
	}
	if route := state.Plan().Route; r.announced == nil || !reflect.DeepEqual(*r.announced, route) {
		r.m.rt.Route(route)
		r.announced = &route
	}
}
