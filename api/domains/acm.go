package domains

import (
	"net/http"

	"renga"
	"renga/api/wire"
)

// Orders orders certificates for custom domains. The outcome of an order is stored
// at the domain.
type Orders interface {
	Order(host string)
}

func (s *Server) acmRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/apps/{app}/acm", wire.Operating, s.enableACM),
		wire.Patch("/apps/{app}/acm", wire.Operating, s.refreshACM),
		wire.Delete("/apps/{app}/acm", wire.Operating, s.disableACM),
	}
}

const (
	acmIssued  = "cert issued"
	acmFailed  = "failed"
	acmPending = "pending"

	noWildcards = "Wildcards cannot have a managed certificate; add one of your own with certs:add."
	localCA     = "Issued by this platform's own CA, which only machines trust that installed it with renga ca. " +
		"For one that everybody trusts, set RENGA_ACME_DIRECTORY, or use certs:add."
)

// acmOf gives the status of a domain's managed certificate; empty if the domain
// needs none.
func (s *Server) acmOf(d renga.Domain, a renga.App, hasOwn bool) (status, reason *string) {
	state := renga.ACMStatus{State: acmPending}
	switch {
	case !a.ACM || hasOwn:
		return nil, nil
	case d.IsWildcard():
		state = renga.ACMStatus{State: acmFailed, Reason: noWildcards}
	case !s.parts.ACME:
		state = renga.ACMStatus{State: acmIssued, Reason: localCA}
	case d.ACM.State != "":
		state = d.ACM
	}
	if state.Reason != "" {
		reason = &state.Reason
	}
	return &state.State, reason
}

// order orders a certificate for a domain that needs a managed one.
func (s *Server) order(a renga.App, d renga.Domain) {
	if d.Managed(a) {
		s.parts.Orders.Order(d.Hostname)
	}
}

func (s *Server) enableACM(w http.ResponseWriter, r *http.Request) error {
	return s.setACM(w, r, true)
}

func (s *Server) disableACM(w http.ResponseWriter, r *http.Request) error {
	return s.setACM(w, r, false)
}

func (s *Server) setACM(w http.ResponseWriter, r *http.Request, on bool) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		a.ACM = on
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	if err := s.orderAll(r, a); err != nil {
		return err
	}
	s.Audit(r, "automatic certificates set", a.Name, "on", on)
	return s.replyApp(w, r, a)
}

// refreshACM orders again the certificates whose orders failed.
func (s *Server) refreshACM(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	if !a.ACM {
		return wire.Invalid("Automatic certificates are off for this app; turn them on with certs:auto:enable.")
	}
	if err := s.orderAll(r, a); err != nil {
		return err
	}
	s.Audit(r, "automatic certificates refreshed", a.Name)
	return s.replyApp(w, r, a)
}

func (s *Server) replyApp(w http.ResponseWriter, r *http.Request, a renga.App) error {
	shown, err := s.parts.ShowApp(r.Context(), a)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) orderAll(r *http.Request, a renga.App) error {
	all, err := s.parts.Domains.Domains(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	for _, d := range all {
		if d.ACM.State != acmIssued {
			s.order(a, d)
		}
	}
	return nil
}
