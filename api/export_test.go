package api

import "renga/api/wire"

// Routes are all that a server answers behind its door, those that need no token
// too.
func Routes() []wire.Route {
	return New(Options{}, Parts{}).routes
}
