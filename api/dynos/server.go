// Package dynos answers for what runs: dynos and how many of which size there are,
// one-off dynos, visits to running ones, schedules.
package dynos

import (
	"net/http"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	// Sizes are the dyno sizes by their lower-case name.
	Sizes      map[string]renga.Size
	Formations Formations
	Images     Images
	Deployer   Deployer
	Dynos      Dynos
	OneOffs    OneOffs
	// Attach speaks with the clients of attached dynos.
	Attach http.Handler
	// RendezvousPort is where Heroku's CLI finds attached dynos, over TLS; empty
	// when it cannot.
	RendezvousPort string
	Access         Access
	Schedules      Schedules
	Scheduler      Scheduler
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
		s.dynoRoutes(), s.dynoSizeRoutes(), s.formationRoutes(), s.oneOffRoutes(), s.attachRoutes(),
		s.commandRoutes(), s.execRoutes(), s.scheduleRoutes(),
	)
}
