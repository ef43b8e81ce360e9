// Package events answers for who is told what happens: log sessions and drains,
// webhooks, their events and deliveries.
package events

import (
	"net/netip"
	"slices"

	"renga/api/wire"
)

// Parts are who does the work.
type Parts struct {
	Logs     Logs
	Drains   Drains
	Drainer  wire.Reconciler // of an app's drains
	Webhooks Webhooks
	Shown    Shown
	// Reachable says why webhooks may not be delivered to an address; nil where
	// they may, and everywhere without it.
	Reachable func(netip.Addr) error
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
		s.webhookRoutes(), s.webhookEventRoutes(), s.webhookDeliveryRoutes(), s.logSessionRoutes(),
		s.logStreamRoutes(), s.logDrainRoutes(),
	)
}
