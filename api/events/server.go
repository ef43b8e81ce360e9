// Package events answers the routes that tell of what happens: log sessions and
// drains, webhooks, their events and deliveries.
package events

import (
	"net/netip"
	"slices"

	"renga"
	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Logs     Logs
	Drains   Drains
	Drainer  wire.Reconciler // is told of apps whose drains changed
	Webhooks Webhooks
	AddOns   AddOns
	Shown    Shown
	// Operator is the account that the platform was started with.
	Operator renga.AccountID
	// Reachable says why webhooks must not be delivered to an address; nil if they
	// may. Without it every address is allowed.
	Reachable func(netip.Addr) error
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
		s.webhookRoutes(), s.webhookEventRoutes(), s.webhookDeliveryRoutes(), s.logSessionRoutes(),
		s.logStreamRoutes(), s.logDrainRoutes(),
	)
}
