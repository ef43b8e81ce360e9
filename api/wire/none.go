package wire

import "net/http"

// ListNone answers a list of things that there are none of.
func ListNone(w http.ResponseWriter, r *http.Request) error {
	nothing := func(Empty) string { return "" }
	return List(w, r, []Empty{}, By("id", nothing), By("name", nothing))
}

// NoneOf answers that a thing is not there; resource is what clients compare.
func NoneOf(name, resource string) Handler {
	return func(http.ResponseWriter, *http.Request) error { return Missing(name, resource) }
}

// Missing says that a thing is not there, with a resource of its own.
func Missing(name, resource string) *Problem {
	p := NotFound(name)
	p.resource = resource
	return p
}
