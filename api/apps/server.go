// Package apps answers the routes of apps and of their settings: owners and
// collaborators, config vars, features, health checks, sleep.
package apps

import (
	"net/http"
	"slices"
	"sync"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Apps      Apps
	Creator   Creator
	Deleter   Deleter
	Renamer   Renamer
	Transfers Transfers
	Owners    Owners
	Vars      Vars
	Minutes   Minutes
	Sleeps    Sleeps
	// BastionVars are config vars that are the caller's own, and in no release.
	BastionVars func(r *http.Request, app renga.App) (renga.Vars, error)
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts        Parts
	transferring sync.Mutex // held while an app gets another owner
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes gives all routes of the family.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.appRoutes(), s.filterRoutes(), s.collaboratorRoutes(), s.transferRoutes(), s.teamRoutes(),
		s.featureRoutes(), s.buildpackRoutes(), s.regionRoutes(), s.stackRoutes(), s.configVarRoutes(),
		s.sleepRoutes(), s.healthCheckRoutes(), s.metricRoutes(), s.registryRoutes(),
	)
}
