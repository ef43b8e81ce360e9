// Package pipelines answers for pipelines: the apps in them, their config vars,
// promotions.
package pipelines

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	Pipelines    Pipelines
	PipelineVars PipelineVars
	Promotions   Promotions
	History      History
	// ShowRelease is a release on the wire.
	ShowRelease func(ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People) (any, error)
	// VersionOf reads the identity of a release; NotFound when it is none.
	VersionOf func(ctx context.Context, app renga.AppID, identity string) (int, error)
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts Parts
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes are all of the family's.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.pipelineRoutes(), s.pipelineVarRoutes(), s.pipelineViewRoutes(), s.couplingRoutes(), s.promotionRoutes(),
	)
}
