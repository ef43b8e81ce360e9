package people

import (
	"net/http"

	"renga/api/wire"
)

// Accounts have no features. The official CLI asks here first for every name, and
// after a 404 it asks for the feature of the app.

func (s *Server) accountFeatureRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/account/features", wire.WholeToken, wire.ListNone),
		wire.Get("/account/features/{feature}", wire.WholeToken, wire.NoneOf("feature", "feature")),
		wire.Patch("/account/features/{feature}", wire.WholeToken, updateNoFeature),
	}
}

func updateNoFeature(_ http.ResponseWriter, r *http.Request) error {
	var body struct{}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	return wire.NotFound("feature")
}
