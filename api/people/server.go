// Package people answers the routes of accounts: profiles, authorizations and
// logins, SSH keys, preferences.
package people

import (
	"slices"

	"renga/api/wire"
)

// Parts are the rooms that the family needs.
type Parts struct {
	Accounts       Accounts
	Logins         Logins
	Authorizations Authorizations
	Browsers       BrowserLogins
	Keys           Keys
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
		s.accountRoutes(), s.accountFeatureRoutes(), s.authorizationRoutes(), s.keyRoutes(), s.preferenceRoutes(),
		s.browserLoginRoutes(),
	)
}
