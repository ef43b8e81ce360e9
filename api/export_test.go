package api

import (
	"time"

	"renga"
)

// Routes lists the API's own routes: method and path.
func Routes() [][2]string {
	var all [][2]string
	for _, rt := range (&Server{}).routes() {
		all = append(all, [2]string{rt.method, rt.path})
	}
	return all
}

// HostnameOf is hostnameOf.
func HostnameOf(text string) (string, error) { return hostnameOf(text) }

// NeedOf is what a route asks for: a scope, and one of some permissions.
func NeedOf(method, path string) (renga.Scope, []renga.Permission) {
	n := needOf(method, path)
	return n.scope, n.app
}

// LookOften has the right to streams looked at so often.
func (s *Server) LookOften(every time.Duration) { s.lookAgain = every }

// OpenRoutes lists those that need no token.
func OpenRoutes() [][2]string {
	var all [][2]string
	for _, rt := range (&Server{}).openRoutes() {
		all = append(all, [2]string{rt.method, rt.path})
	}
	return all
}

// Unneeded are the fields that are passed over in silence, by route.
func Unneeded() map[string]map[string]string { return unneeded }
