package domains

import (
	"context"

	"renga"
)

// Show is the domain of an event, with its certificate as that is now.
func (s *Server) Show(ctx context.Context, a renga.App, d renga.Domain) (any, error) {
	endpoints, err := s.parts.Endpoints.Endpoints(ctx, a.ID)
	return s.newDomain(d, a, endpoints), unlessGone(err)
}

// ShowEndpoint is the certificate of an event, with its domains as they are
// now.
func (s *Server) ShowEndpoint(ctx context.Context, a renga.App, e renga.Endpoint) (any, error) {
	domains, err := s.parts.Domains.Domains(ctx, a.ID)
	return newSNIEndpoint(e, a, domains), unlessGone(err)
}

// unlessGone forgives that an app is no more: its last events are told all the
// same.
func unlessGone(err error) error {
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}
