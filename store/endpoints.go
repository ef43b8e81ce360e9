package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// endpointRecord is a certificate of an app's own. Key is sealed.
type endpointRecord struct {
	Name          string    `json:"name"`
	CertificateID string    `json:"certificate"`
	Chain         string    `json:"chain"`
	Names         []string  `json:"names"`
	Subject       string    `json:"subject"`
	Issuer        string    `json:"issuer"`
	StartsAt      time.Time `json:"starts_at"`
	EndsAt        time.Time `json:"ends_at"`
	Key           string    `json:"key"`
	CreatedAt     time.Time `json:"created_at,omitzero"`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
}

func endpointCollection(app renga.AppID) collection {
	return collection{key: keyEndpoints(app), app: app, events: endpointEvents}
}

func (r endpointRecord) endpoint(app renga.AppID, id string) renga.Endpoint {
	return renga.Endpoint{
		ID: id, App: app, Name: r.Name, CertificateID: r.CertificateID,
		Certificate: renga.Certificate{
			Chain: r.Chain, Names: r.Names, Subject: r.Subject, Issuer: r.Issuer, StartsAt: r.StartsAt.UTC(),
			EndsAt: r.EndsAt.UTC(),
		},
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// newEndpointRecord seals the key for this certificate of this endpoint.
func (s *Store) newEndpointRecord(e renga.Endpoint, key string) (endpointRecord, error) {
	sealed, err := s.seal(endpointSecret(e.App, e.ID, e.CertificateID), key)
	c := e.Certificate
	return endpointRecord{
		Name: e.Name, CertificateID: e.CertificateID, Chain: c.Chain, Names: c.Names, Subject: c.Subject, Issuer: c.Issuer,
		StartsAt: c.StartsAt.UTC(), EndsAt: c.EndsAt.UTC(), Key: sealed, CreatedAt: e.CreatedAt.UTC(),
		UpdatedAt: e.UpdatedAt.UTC(),
	}, err
}

// endpointSecret is what the key is bound to.
func endpointSecret(app renga.AppID, id, certificate string) string {
	return keyEndpoints(app) + " " + id + " " + certificate
}

// Endpoints lists an app's certificates in order of their names.
func (s *Store) Endpoints(ctx context.Context, app renga.AppID) ([]renga.Endpoint, error) {
	records, err := readCollection[endpointRecord](ctx, s, endpointCollection(app))
	if err != nil {
		return nil, err
	}
	var all []renga.Endpoint
	for id, r := range records {
		all = append(all, r.endpoint(app, id))
	}
	slices.SortFunc(all, func(a, b renga.Endpoint) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// AddEndpoint keeps a certificate of an app's with its key, under a name of its
// own.
func (s *Store) AddEndpoint(ctx context.Context, e renga.Endpoint, key string) (renga.Endpoint, error) {
	r, err := s.newEndpointRecord(e, key)
	if err != nil {
		return renga.Endpoint{}, err
	}
	err = editCollection(ctx, s, endpointCollection(e.App), func(all map[string]endpointRecord) error {
		if len(all) >= renga.MaxEndpoints {
			return renga.Errorf(renga.Invalid, "An app cannot have more than %d certificates; remove one first.",
				renga.MaxEndpoints)
		}
		names := map[string]bool{}
		for _, other := range all {
			names[other.Name] = true
		}
		for r.Name = renga.NewEndpointName(); names[r.Name]; {
			r.Name = renga.NewEndpointName()
		}
		all[e.ID] = r
		return nil
	})
	return r.endpoint(e.App, e.ID), err
}

// UpdateEndpoint replaces an endpoint's certificate, key, certificate id and
// the time of its update by those of e.
func (s *Store) UpdateEndpoint(ctx context.Context, e renga.Endpoint, key string) (renga.Endpoint, error) {
	r, err := s.newEndpointRecord(e, key)
	if err != nil {
		return renga.Endpoint{}, err
	}
	err = editCollection(ctx, s, endpointCollection(e.App), func(all map[string]endpointRecord) error {
		before, ok := all[e.ID]
		if !ok {
			return noEndpoint(e.ID)
		}
		r.Name, r.CreatedAt = before.Name, before.CreatedAt
		all[e.ID] = r
		return nil
	})
	return r.endpoint(e.App, e.ID), err
}

func noEndpoint(id string) error {
	return renga.Errorf(renga.NotFound, "Couldn't find SNI endpoint %s.", id)
}

// RemoveEndpoint removes a certificate; the domains that used it have none any
// more. If we die in between they name one that is not there, which is the same.
func (s *Store) RemoveEndpoint(ctx context.Context, app renga.AppID, id string) error {
	err := editCollection(ctx, s, endpointCollection(app), func(all map[string]endpointRecord) error {
		if _, ok := all[id]; !ok {
			return noEndpoint(id)
		}
		delete(all, id)
		return nil
	})
	if err != nil {
		return err
	}
	return editCollection(ctx, s, domainCollection(app), func(all map[string]domainRecord) error {
		for domain, r := range all {
			if r.Endpoint == id {
				r.Endpoint, r.UpdatedAt = "", now()
				all[domain] = r
			}
		}
		return nil
	})
}

// endpointEvents says what became of an app's certificates. Events are kept
// without the keys.
func endpointEvents(before, after map[string]string) ([]event, error) {
	return recordEvents(renga.EndpointEvent, before, after, func(id string, r endpointRecord) (subjectRecord, bool) {
		r.Key = ""
		return subjectRecord{ID: id, Endpoint: &r}, true
	})
}
