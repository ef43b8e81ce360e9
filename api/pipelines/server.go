// Package pipelines answers the routes of pipelines: their apps, their config vars,
// promotions.
package pipelines

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Pipelines    Pipelines
	PipelineVars PipelineVars
	Promotions   Promotions
	History      History
	// ShowRelease gives a release as JSON.
	ShowRelease func(ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People) (any, error)
	// VersionOf gives the version for a release's identity; NotFound if the app has
	// no such release.
	VersionOf func(ctx context.Context, app renga.AppID, identity string) (int, error)
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes gives all routes of the family.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.pipelineRoutes(), s.pipelineVarRoutes(), s.pipelineViewRoutes(), s.couplingRoutes(), s.promotionRoutes(),
	)
}
