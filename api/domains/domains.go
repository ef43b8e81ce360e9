package domains

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"golang.org/x/net/idna"

	"renga"
	"renga/api/wire"
)

// Domains keeps the apps' custom domains.
type Domains interface {
	Domains(ctx context.Context, app renga.AppID) ([]renga.Domain, error)
	// AddDomain is Conflict if the name is taken. It returns the domain that was
	// added, whose id is another one if the same domain was being added already.
	AddDomain(ctx context.Context, d renga.Domain) (renga.Domain, error)
	UpdateDomain(ctx context.Context, app renga.AppID, id string, edit func(*renga.Domain) error) (renga.Domain, error)
	RemoveDomain(ctx context.Context, app renga.AppID, id string) error
}

func (s *Server) domainRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/domains", wire.Looking, s.listDomains),
		wire.Post("/apps/{app}/domains", wire.Operating, s.addDomain),
		wire.Get("/apps/{app}/domains/{domain}", wire.Looking, s.domainInfo),
		wire.Patch("/apps/{app}/domains/{domain}", wire.Operating, s.updateDomain),
		wire.Delete("/apps/{app}/domains/{domain}", wire.Operating, s.removeDomain),
	}
}

// domain is a domain as JSON.
type domain struct {
	ACMStatus       *string   `json:"acm_status"`
	ACMStatusReason *string   `json:"acm_status_reason"`
	App             wire.Ref  `json:"app"`
	CName           *string   `json:"cname"`
	CreatedAt       string    `json:"created_at"`
	Hostname        string    `json:"hostname"`
	ID              string    `json:"id"`
	Kind            string    `json:"kind"`
	SNIEndpoint     *wire.Ref `json:"sni_endpoint"`
	Status          string    `json:"status"`
	UpdatedAt       string    `json:"updated_at"`
}

// domainStatus is the status of every domain: it needs no wait, because a domain
// works as soon as it is added.
const domainStatus = "none"

// newDomain makes JSON of a custom domain. Its cname is the name that its DNS
// record has to name.
func (s *Server) newDomain(d renga.Domain, a renga.App, endpoints []renga.Endpoint) domain {
	cname := s.defaultHost(a)
	shown := domain{
		App: wire.AppRef(a), CName: &cname, CreatedAt: wire.Stamp(d.CreatedAt), Hostname: d.Hostname,
		ID: d.ID, Kind: "custom", Status: domainStatus, UpdatedAt: wire.Stamp(d.UpdatedAt),
	}
	if i := slices.IndexFunc(endpoints, func(e renga.Endpoint) bool { return e.ID == d.Endpoint }); i >= 0 {
		shown.SNIEndpoint = &wire.Ref{ID: d.Endpoint, Name: endpoints[i].Name}
	}
	shown.ACMStatus, shown.ACMStatusReason = s.acmOf(d, a, shown.SNIEndpoint != nil)
	return shown
}

// defaultDomain is the subdomain of the platform's domain that every app has.
func (s *Server) defaultDomain(a renga.App) domain {
	return domain{
		App: wire.Ref{ID: string(a.ID), Name: a.Name}, CreatedAt: wire.Stamp(a.CreatedAt), Hostname: s.defaultHost(a),
		ID: defaultDomainID(a.ID), Kind: "heroku", Status: domainStatus, UpdatedAt: wire.Stamp(a.CreatedAt),
	}
}

func (s *Server) defaultHost(a renga.App) string { return a.Name + "." + s.Domain }

// defaultDomainID never changes, although it is not stored.
func defaultDomainID(app renga.AppID) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:default-domain:"+string(app))).String()
}

func (s *Server) listDomains(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Domains.Domains(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	endpoints, err := s.parts.Endpoints.Endpoints(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	wires := []domain{s.defaultDomain(a)}
	for _, d := range all {
		wires = append(wires, s.newDomain(d, a, endpoints))
	}
	return wire.List(w, r, wires,
		wire.By("id", func(d domain) string { return d.ID }),
		wire.By("hostname", func(d domain) string { return d.Hostname }))
}

func (s *Server) replyDomain(w http.ResponseWriter, r *http.Request, status int, a renga.App, d renga.Domain) error {
	endpoints, err := s.parts.Endpoints.Endpoints(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	return wire.Answer(w, status, s.newDomain(d, a, endpoints))
}

// customDomain finds the app and the custom domain of the path, by id or host name.
func (s *Server) customDomain(r *http.Request) (renga.App, renga.Domain, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, renga.Domain{}, err
	}
	all, err := s.parts.Domains.Domains(r.Context(), a.ID)
	if err != nil {
		return renga.App{}, renga.Domain{}, wire.OrNotFound(err, "app")
	}
	identity := mux.Vars(r)["domain"]
	host, err := hostnameOf(identity)
	i := slices.IndexFunc(all, func(d renga.Domain) bool {
		return err == nil && d.Hostname == host || d.ID == strings.ToLower(identity)
	})
	if i < 0 {
		return a, renga.Domain{}, wire.NotFound("domain")
	}
	return a, all[i], nil
}

// isDefault tells whether the path names the app's default domain.
func (s *Server) isDefault(r *http.Request, a renga.App) bool {
	identity := strings.ToLower(mux.Vars(r)["domain"])
	return identity == s.defaultHost(a) || identity == defaultDomainID(a.ID)
}

func (s *Server) domainInfo(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.customDomain(r)
	if a.ID != "" && s.isDefault(r, a) {
		return wire.Answer(w, http.StatusOK, s.defaultDomain(a))
	}
	if err != nil {
		return err
	}
	return s.replyDomain(w, r, http.StatusOK, a, d)
}

// addDomain adds a domain, with the certificate that the body names. If it names
// none, the domain gets the app's only certificate if that is good for the name.
func (s *Server) addDomain(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Hostname    string  `json:"hostname"`
		SNIEndpoint *string `json:"sni_endpoint"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	host, err := hostnameOf(body.Hostname)
	if err != nil {
		return err
	}
	if err := renga.ValidateHostname(host, s.Domain); err != nil {
		return err
	}
	if err := refusePublic(host); err != nil {
		return err
	}
	now := s.Now()
	d := renga.Domain{ID: uuid.NewString(), App: a.ID, Hostname: host, CreatedAt: now, UpdatedAt: now}
	if d.Endpoint, err = s.endpointFor(r.Context(), a, host, body.SNIEndpoint); err != nil {
		return err
	}
	if d, err = s.parts.Domains.AddDomain(r.Context(), d); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(a.ID)
	s.order(a, d)
	s.Audit(r, "domain added", a.Name, "domain", d.Hostname)
	return s.replyDomain(w, r, http.StatusCreated, a, d)
}

func (s *Server) updateDomain(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.changeable(r)
	if err != nil {
		return err
	}
	var body struct {
		SNIEndpoint *string `json:"sni_endpoint"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	id := ""
	if body.SNIEndpoint != nil {
		if id, err = s.namedEndpoint(r.Context(), a, *body.SNIEndpoint); err != nil {
			return err
		}
	}
	d, err = s.parts.Domains.UpdateDomain(r.Context(), a.ID, d.ID, func(d *renga.Domain) error {
		d.Endpoint = id
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "domain")
	}
	s.order(a, d)
	s.Audit(r, "domain updated", a.Name, "domain", d.Hostname, "endpoint", d.Endpoint)
	return s.replyDomain(w, r, http.StatusOK, a, d)
}

// changeable is customDomain for changes. It refuses the default domain.
func (s *Server) changeable(r *http.Request) (renga.App, renga.Domain, error) {
	a, d, err := s.customDomain(r)
	if a.ID != "" && s.isDefault(r, a) {
		return a, d, wire.Invalid("The domain %s belongs to the app for as long as it is there.", s.defaultHost(a))
	}
	return a, d, err
}

func (s *Server) removeDomain(w http.ResponseWriter, r *http.Request) error {
	a, d, err := s.changeable(r)
	if err != nil {
		return err
	}
	endpoints, err := s.parts.Endpoints.Endpoints(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	if err := s.parts.Domains.RemoveDomain(r.Context(), a.ID, d.ID); err != nil {
		return wire.OrNotFound(err, "domain")
	}
	s.Reconciler.Reconcile(a.ID)
	s.Audit(r, "domain removed", a.Name, "domain", d.Hostname)
	return wire.Answer(w, http.StatusOK, s.newDomain(d, a, endpoints))
}

// hostnameOf gives a host name in the form that is stored and compared: lower case,
// punycode, no final dot.
func hostnameOf(text string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
	if isASCII(host) {
		return host, nil
	}
	name, isWildcard := strings.CutPrefix(host, "*.")
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return "", wire.Invalid("Domain %q is not a valid host name.", wire.Clip(strings.ToValidUTF8(text, "?")))
	}
	if isWildcard {
		ascii = "*." + ascii
	}
	return ascii, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
