package wire

import (
	"net/http"

	"github.com/gorilla/mux"
)

// Handler answers one route. The API turns its error into an answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one line of a resource's table: method, path, policy and handler. The
// functions below make it.
type Route struct {
	method, path string
	policy       Policy
	do           Handler
	unneeded     map[string]string // fields of the body that it does without, and why
}

// Get is a route that answers GET, and HEAD with it.
func Get(path string, p Policy, do Handler) Route { return newRoute(http.MethodGet, path, p, do) }

// Post is a route that answers POST.
func Post(path string, p Policy, do Handler) Route { return newRoute(http.MethodPost, path, p, do) }

// Put is a route that answers PUT.
func Put(path string, p Policy, do Handler) Route { return newRoute(http.MethodPut, path, p, do) }

// Patch is a route that answers PATCH.
func Patch(path string, p Policy, do Handler) Route { return newRoute(http.MethodPatch, path, p, do) }

// Delete is a route that answers DELETE.
func Delete(path string, p Policy, do Handler) Route {
	return newRoute(http.MethodDelete, path, p, do)
}

func newRoute(method, path string, p Policy, do Handler) Route {
	return Route{method: method, path: path, policy: p, do: do, unneeded: map[string]string{}}
}

// Without gives the route with a field of the body that it does without, and why:
// reading it would change nothing. docs/ignored-fields.md is written from that.
func (rt Route) Without(field, why string) Route {
	rt.unneeded[field] = why
	return rt
}

// Method and path are what the route answers.
func (rt Route) Method() string { return rt.method }

// Path is in the form of gorilla/mux: /apps/{app}.
func (rt Route) Path() string { return rt.path }

// Policy says who may call it.
func (rt Route) Policy() Policy { return rt.policy }

// Open tells whether it needs no token.
func (rt Route) Open() bool { return rt.policy.open }

// Unneeded gives the fields of the body that it does without, and why.
func (rt Route) Unneeded() map[string]string { return rt.unneeded }

// Unlocked answers the open routes and passes all other requests to locked.
func (d *Door) Unlocked(routes []Route, locked http.Handler) http.Handler {
	m := d.mux(routes, true)
	m.NotFoundHandler, m.MethodNotAllowedHandler = locked, locked
	return m
}

// Locked answers the routes that are not open, to callers with good credentials
// whom admit does not refuse.
func (d *Door) Locked(routes []Route, admit Handler) http.Handler {
	m := d.mux(routes, false)
	m.NotFoundHandler = d.Handle(NoEndpoint)
	m.MethodNotAllowedHandler = d.Handle(otherMethod(m))
	return d.authenticate(admit, m)
}

func (d *Door) mux(routes []Route, open bool) *mux.Router {
	m := mux.NewRouter().SkipClean(true)
	for _, rt := range routes {
		if rt.policy.open != open {
			continue
		}
		methods := []string{rt.method}
		if rt.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		m.Handle(rt.path, d.Handle(d.guarded(rt))).Methods(methods...)
	}
	return m
}

// guarded checks the route's policy before its handler runs.
func (d *Door) guarded(rt Route) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !d.WarnOfAll {
			InfoOf(r).unneeded = rt.unneeded
		}
		if rt.policy.open {
			return rt.do(w, r)
		}
		return d.enter(w, r, rt)
	}
}

// Handle makes an http.Handler that sends errors as Heroku does.
func (d *Door) Handle(do Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		InfoOf(r).answer = w.Header() // repeats get the header of the innermost handler
		if err := do(w, r); err != nil {
			d.fail(w, r, err)
		}
	})
}
