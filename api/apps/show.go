package apps

import (
	"context"

	"renga"
	"renga/api/wire"
)

// Show gives an app as JSON, for other families.
func (s *Server) Show(ctx context.Context, a renga.App) (any, error) { return s.showApp(ctx, a) }

// ShowCollaborator gives a person with access to an app as JSON, for other
// families.
func (s *Server) ShowCollaborator(
	ctx context.Context, a renga.App, c renga.Collaborator, known *wire.People,
) (any, error) {
	return s.showCollaborator(ctx, a, c, known)
}
