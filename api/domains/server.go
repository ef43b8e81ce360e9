// Package domains answers for the host names of apps and their certificates.
package domains

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	Apps      Apps
	Domains   Domains
	Endpoints Endpoints
	Orders    Orders
	// ShowApp is an app on the wire.
	ShowApp func(ctx context.Context, a renga.App) (any, error)
	// ACME says that certificates are ordered for domains, from a CA that
	// everybody trusts.
	ACME bool
}

// Apps keeps the apps.
type Apps interface {
	// UpdateApp changes an app at once and stamps it; edit may run several times.
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
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
		s.domainRoutes(), s.sniEndpointRoutes(), s.acmRoutes(),
	)
}
