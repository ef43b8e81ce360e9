package apps

import (
	"context"

	"renga"
	"renga/api/wire"
)

// Show is an app on the wire, for other families.
func (s *Server) Show(ctx context.Context, a renga.App) (any, error) { return s.showApp(ctx, a) }

// ShowCollaborator is somebody who has access to an app on the wire, for other
// families.
func (s *Server) ShowCollaborator(
	ctx context.Context, a renga.App, c renga.Collaborator, known *wire.People,
) (any, error) {
	return s.showCollaborator(ctx, a, c, known)
}
