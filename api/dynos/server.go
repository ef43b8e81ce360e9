// Package dynos answers the routes of what runs: dynos with their numbers and
// sizes, one-off dynos, commands in running dynos, schedules.
package dynos

import (
	"net/http"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms and settings that the family needs.
type Parts struct {
	// Sizes are the dyno sizes, by their names in lower case.
	Sizes      map[string]renga.Size
	Formations Formations
	Images     Images
	Deployer   Deployer
	Dynos      Dynos
	OneOffs    OneOffs
	// Attach serves the clients of attached dynos.
	Attach http.Handler
	// RendezvousPort is where Heroku's CLI reaches attached dynos, over TLS; empty
	// if it cannot.
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

// Routes gives all routes of the family.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.dynoRoutes(), s.dynoSizeRoutes(), s.formationRoutes(), s.oneOffRoutes(), s.attachRoutes(),
		s.commandRoutes(), s.execRoutes(), s.scheduleRoutes(),
	)
}
