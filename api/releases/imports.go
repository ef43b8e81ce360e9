package releases

import (
	"cmp"
	"context"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Importer brings images of other registries.
type Importer interface {
	// Order is Invalid for what names no image of another registry, and TooMany if too
	// many are under way.
	Order(ctx context.Context, app renga.AppID, process renga.ProcessType, image string,
		by renga.AccountID) (renga.Import, error)
}

// importImage asks for the release of another registry's image. It answers at once;
// the copy and the release come later, as if the image were pushed.
func (s *Server) importImage(w http.ResponseWriter, r *http.Request, a renga.App, asked releaseAsked) error {
	process := cmp.Or(asked.Process, renga.Web)
	if err := renga.ValidateProcessType(process); err != nil {
		return err
	}
	i, err := s.parts.Importer.Order(r.Context(), a.ID, process, asked.Image, wire.Caller(r).ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "image asked for", a.Name, "import", i.ID, "image", i.Image)
	shown, err := s.parts.ShowImport(r.Context(), a, i)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusAccepted, shown)
}
