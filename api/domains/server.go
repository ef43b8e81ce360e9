// Package domains answers the routes of the host names of apps and of their
// certificates.
package domains

import (
	"context"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms and settings that the family needs.
type Parts struct {
	Apps      Apps
	Domains   Domains
	Endpoints Endpoints
	Orders    Orders
	// ShowApp gives an app as JSON.
	ShowApp func(ctx context.Context, a renga.App) (any, error)
	// ACME says that certificates are ordered for domains, from a CA that clients
	// trust.
	ACME bool
}

// Apps keeps the apps.
type Apps interface {
	// UpdateApp lets edit change an app, and sets its time of update. Edit may run
	// several times; its error is returned.
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
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
		s.domainRoutes(), s.sniEndpointRoutes(), s.acmRoutes(),
	)
}
