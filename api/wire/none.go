package wire

import "net/http"

// ListNone answers with an empty list.
func ListNone(w http.ResponseWriter, r *http.Request) error {
	nothing := func(Empty) string { return "" }
	return List(w, r, []Empty{}, By("id", nothing), By("name", nothing))
}

// NoneOf answers that a thing does not exist. Resource is a word that clients
// compare.
func NoneOf(name, resource string) Handler {
	return func(http.ResponseWriter, *http.Request) error { return Missing(name, resource) }
}

// Missing is the error for a thing that does not exist. Resource is a word that
// clients compare.
func Missing(name, resource string) *Problem {
	p := NotFound(name)
	p.resource = resource
	return p
}
