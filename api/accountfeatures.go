package api

import "net/http"

// Accounts have no features to switch. The official CLI asks here first for
// each name, and goes by the 404 to the features of apps.

func (s *Server) accountFeatureRoutes() []Route {
	return []Route{
		Get("/account/features", WholeToken, listNone),
		Get("/account/features/{feature}", WholeToken, noneOf("feature", "feature")),
		Patch("/account/features/{feature}", WholeToken, updateNoFeature),
	}
}

func updateNoFeature(_ http.ResponseWriter, r *http.Request) error {
	var body struct{}
	if err := decode(r, &body); err != nil {
		return err
	}
	return notFound("feature")
}
