package releases

import (
	"net/http"

	"renga/api/wire"
)

// releaseConfigVars shows the whole environment of a release with the config vars
// of add-ons, as configVars does for the newest release.
func (s *Server) releaseConfigVars(w http.ResponseWriter, r *http.Request) error {
	a, version, err := s.releaseOf(r)
	if err != nil {
		return err
	}
	rel, err := s.parts.Releaser.Open(r.Context(), a, version)
	if err != nil {
		return wire.OrNotFound(err, "release")
	}
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(rel.Env()))
}
