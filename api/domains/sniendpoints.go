package domains

import (
	"context"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Endpoints keeps the certificates of the apps' own.
type Endpoints interface {
	Endpoints(ctx context.Context, app renga.AppID) ([]renga.Endpoint, error)
	// AddEndpoint names the endpoint.
	AddEndpoint(ctx context.Context, e renga.Endpoint, key string) (renga.Endpoint, error)
	UpdateEndpoint(ctx context.Context, e renga.Endpoint, key string) (renga.Endpoint, error)
	// RemoveEndpoint takes it from the domains that use it, too.
	RemoveEndpoint(ctx context.Context, app renga.AppID, id string) error
}

func (s *Server) sniEndpointRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/sni-endpoints", wire.Looking, s.listEndpoints),
		wire.Post("/apps/{app}/sni-endpoints", wire.Operating, s.addEndpoint),
		wire.Get("/apps/{app}/sni-endpoints/{endpoint}", wire.Looking, s.endpointInfo),
		wire.Patch("/apps/{app}/sni-endpoints/{endpoint}", wire.Operating, s.updateEndpoint),
		wire.Delete("/apps/{app}/sni-endpoints/{endpoint}", wire.Operating, s.removeEndpoint),
	}
}

// sniEndpoint is an SNI endpoint as JSON.
type sniEndpoint struct {
	App              wire.Ref `json:"app"`
	CertificateChain string   `json:"certificate_chain"`
	CreatedAt        string   `json:"created_at"`
	DisplayName      *string  `json:"display_name"`
	Domains          []string `json:"domains"`
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	SSLCert          sslCert  `json:"ssl_cert"`
	UpdatedAt        string   `json:"updated_at"`
}

// sslCert is a certificate as JSON. ACM is not in the schema; the official
// CLI reads it. Managed certificates are not listed here, so it is false.
type sslCert struct {
	ACM         bool     `json:"acm"`
	CASigned    bool     `json:"ca_signed?"`
	CertDomains []string `json:"cert_domains"`
	ExpiresAt   string   `json:"expires_at"`
	ID          string   `json:"id"`
	Issuer      string   `json:"issuer"`
	SelfSigned  bool     `json:"self_signed?"`
	StartsAt    string   `json:"starts_at"`
	Subject     string   `json:"subject"`
}

// newSNIEndpoint maps an endpoint; domains are all of the app's.
func newSNIEndpoint(e renga.Endpoint, a renga.App, domains []renga.Domain) sniEndpoint {
	c := e.Certificate
	shown := sniEndpoint{
		App: wire.Ref{ID: string(a.ID), Name: a.Name}, CertificateChain: c.Chain, CreatedAt: wire.Stamp(e.CreatedAt),
		Domains: []string{}, ID: e.ID, Name: e.Name, UpdatedAt: wire.Stamp(e.UpdatedAt),
		SSLCert: sslCert{
			CASigned: trusted(c), CertDomains: c.Names, ExpiresAt: wire.Stamp(c.EndsAt), ID: e.CertificateID,
			Issuer:     c.Issuer,
			SelfSigned: c.SelfSigned(), StartsAt: wire.Stamp(c.StartsAt), Subject: c.Subject,
		},
	}
	for _, d := range domains {
		if d.Endpoint == e.ID {
			shown.Domains = append(shown.Domains, d.ID)
		}
	}
	return shown
}

// trusted tells whether a root that this machine trusts has signed the chain.
func trusted(c renga.Certificate) bool {
	chain, err := c.Parse()
	if err != nil || len(chain) == 0 {
		return false
	}
	others := x509.NewCertPool()
	for _, cert := range chain[1:] {
		others.AddCert(cert)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Intermediates: others})
	return err == nil
}

// endpointsOf finds the app of the path with its endpoints and domains.
func (s *Server) endpointsOf(r *http.Request) (renga.App, []renga.Endpoint, []renga.Domain, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, nil, nil, err
	}
	endpoints, err := s.parts.Endpoints.Endpoints(r.Context(), a.ID)
	if err != nil {
		return renga.App{}, nil, nil, wire.OrNotFound(err, "app")
	}
	domains, err := s.parts.Domains.Domains(r.Context(), a.ID)
	return a, endpoints, domains, wire.OrNotFound(err, "app")
}

// endpointOf finds the endpoint of the path too.
func (s *Server) endpointOf(r *http.Request) (renga.App, renga.Endpoint, []renga.Domain, error) {
	a, endpoints, domains, err := s.endpointsOf(r)
	if err != nil {
		return renga.App{}, renga.Endpoint{}, nil, err
	}
	e, err := pickEndpoint(endpoints, mux.Vars(r)["endpoint"])
	return a, e, domains, err
}

// pickEndpoint finds an endpoint by name or id.
func pickEndpoint(all []renga.Endpoint, identity string) (renga.Endpoint, error) {
	identity = strings.ToLower(identity)
	i := slices.IndexFunc(all, func(e renga.Endpoint) bool { return e.Name == identity || e.ID == identity })
	if i < 0 {
		return renga.Endpoint{}, wire.NotFound("sni endpoint")
	}
	return all[i], nil
}

// namedEndpoint is the id of the endpoint that a body names.
func (s *Server) namedEndpoint(ctx context.Context, a renga.App, identity string) (string, error) {
	all, err := s.parts.Endpoints.Endpoints(ctx, a.ID)
	if err != nil {
		return "", wire.OrNotFound(err, "app")
	}
	e, err := pickEndpoint(all, identity)
	return e.ID, err
}

// endpointFor is the id of the endpoint for a new domain: the one that was asked
// for, else the only one if it is good for the name, else none.
func (s *Server) endpointFor(ctx context.Context, a renga.App, host string, asked *string) (string, error) {
	if asked != nil {
		return s.namedEndpoint(ctx, a, *asked)
	}
	all, err := s.parts.Endpoints.Endpoints(ctx, a.ID)
	if err != nil {
		return "", wire.OrNotFound(err, "app")
	}
	if len(all) != 1 || !all[0].Certificate.Covers(host) {
		return "", nil
	}
	return all[0].ID, nil
}

func (s *Server) listEndpoints(w http.ResponseWriter, r *http.Request) error {
	a, endpoints, domains, err := s.endpointsOf(r)
	if err != nil {
		return err
	}
	var wires []sniEndpoint
	for _, e := range endpoints {
		wires = append(wires, newSNIEndpoint(e, a, domains))
	}
	return wire.List(w, r, wires,
		wire.By("id", func(e sniEndpoint) string { return e.ID }),
		wire.By("name", func(e sniEndpoint) string { return e.Name }))
}

func (s *Server) endpointInfo(w http.ResponseWriter, r *http.Request) error {
	a, e, domains, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newSNIEndpoint(e, a, domains))
}

// readCertificate takes a certificate and its key out of a body, and makes an
// endpoint of them.
func (s *Server) readCertificate(r *http.Request, a renga.App) (e renga.Endpoint, key string, err error) {
	var body struct {
		CertificateChain string `json:"certificate_chain"`
		PrivateKey       string `json:"private_key"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return renga.Endpoint{}, "", err
	}
	now := s.Now()
	c, err := renga.CheckCertificate(body.CertificateChain, body.PrivateKey, now)
	return renga.Endpoint{
		App: a.ID, CertificateID: uuid.NewString(), Certificate: c, UpdatedAt: now,
	}, body.PrivateKey, err
}

func (s *Server) addEndpoint(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	e, key, err := s.readCertificate(r, a)
	if err != nil {
		return err
	}
	e.ID, e.CreatedAt = uuid.NewString(), e.UpdatedAt
	if e, err = s.parts.Endpoints.AddEndpoint(r.Context(), e, key); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "certificate added", a.Name, "endpoint", e.Name, "domains", e.Certificate.Names)
	return wire.Answer(w, http.StatusCreated, newSNIEndpoint(e, a, nil))
}

func (s *Server) updateEndpoint(w http.ResponseWriter, r *http.Request) error {
	a, old, domains, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	e, key, err := s.readCertificate(r, a)
	if err != nil {
		return err
	}
	e.ID = old.ID
	if e, err = s.parts.Endpoints.UpdateEndpoint(r.Context(), e, key); err != nil {
		return wire.OrNotFound(err, "sni endpoint")
	}
	s.Audit(r, "certificate updated", a.Name, "endpoint", e.Name, "domains", e.Certificate.Names)
	return wire.Answer(w, http.StatusOK, newSNIEndpoint(e, a, domains))
}

func (s *Server) removeEndpoint(w http.ResponseWriter, r *http.Request) error {
	a, e, domains, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Endpoints.RemoveEndpoint(r.Context(), a.ID, e.ID); err != nil {
		return wire.OrNotFound(err, "sni endpoint")
	}
	for _, d := range domains {
		if d.Endpoint == e.ID {
			d.Endpoint = ""
			s.order(a, d)
		}
	}
	s.Audit(r, "certificate removed", a.Name, "endpoint", e.Name)
	return wire.Answer(w, http.StatusOK, newSNIEndpoint(e, a, domains))
}
