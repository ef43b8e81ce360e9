// Package people answers for accounts: who somebody is, what lets them in, their
// SSH keys and preferences.
package people

import (
	"slices"

	"renga/api/wire"
)

// Parts are who does the work.
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

// Routes are all of the family's.
func (s *Server) Routes() []wire.Route {
	return slices.Concat(
		s.accountRoutes(), s.accountFeatureRoutes(), s.authorizationRoutes(), s.keyRoutes(), s.preferenceRoutes(),
		s.browserLoginRoutes(),
	)
}
