// Package apps answers for apps and for what is set at them: who owns them and works
// on them, config vars, features, health checks, sleep.
package apps

import (
	"slices"
	"sync"

	"renga/api/wire"
)

// Parts are who does the work.
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
}

// Server answers the family's routes.
type Server struct {
	*wire.Door
	parts   Parts
	handing sync.Mutex // held while an app changes hands
}

// New makes a Server.
func New(d *wire.Door, p Parts) *Server { return &Server{Door: d, parts: p} }

// Routes are all of the family's.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.appRoutes(), s.filterRoutes(), s.collaboratorRoutes(), s.transferRoutes(), s.teamRoutes(),
		s.featureRoutes(), s.buildpackRoutes(), s.regionRoutes(), s.stackRoutes(), s.configVarRoutes(),
		s.sleepRoutes(), s.healthCheckRoutes(), s.metricRoutes(), s.addOnRoutes(),
	)
}
