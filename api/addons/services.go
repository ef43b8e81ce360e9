package addons

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/addons/catalogue"
	"renga/api/wire"
)

// The catalogue has names and no ids: the ids of services and plans are made of
// their names. createdAt is their creation time in answers.
const createdAt = "2026-01-01T00:00:00Z"

var ids = uuid.MustParse("9a1c5f0e-3d57-4f0b-8b1e-6f2d4c8a7e10")

func idOf(kind, name string) string { return uuid.NewSHA1(ids, []byte(kind+" "+name)).String() }

func (s *Server) serviceRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/addon-services", wire.AnyToken, s.listServices),
		wire.Get("/addon-services/{service}", wire.AnyToken, s.serviceInfo),
		wire.Get("/addon-services/{service}/plans", wire.AnyToken, s.listPlans),
		wire.Get("/addon-services/{service}/plans/{plan}", wire.AnyToken, s.planInfo),
		wire.Get("/plans/{plan}", wire.AnyToken, s.planInfo),
		wire.Get("/addon-region-capabilities", wire.AnyToken, s.listCapabilities),
		wire.Get("/addon-services/{service}/region-capabilities", wire.AnyToken, s.listCapabilitiesOfService),
		wire.Get("/regions/{region}/addon-region-capabilities", wire.AnyToken, s.listCapabilitiesOfRegion),
	}
}

// service is a service as JSON.
type service struct {
	CLIPluginName                 *string    `json:"cli_plugin_name"`
	CreatedAt                     string     `json:"created_at"`
	HumanName                     string     `json:"human_name"`
	ID                            string     `json:"id"`
	Name                          string     `json:"name"`
	State                         string     `json:"state"`
	SupportedGenerations          []wire.Ref `json:"supported_generations"`
	SupportsMultipleInstallations bool       `json:"supports_multiple_installations"`
	SupportsSharing               bool       `json:"supports_sharing"`
	UpdatedAt                     string     `json:"updated_at"`
}

func serviceRef(name string) wire.Ref { return wire.Ref{ID: idOf("service", name), Name: name} }

func newService(c catalogue.Service) service {
	return service{
		CreatedAt: createdAt, HumanName: c.HumanName, ID: idOf("service", c.Name), Name: c.Name, State: "ga",
		SupportedGenerations:          []wire.Ref{wire.GenerationRef()},
		SupportsMultipleInstallations: true, SupportsSharing: c.Provider != catalogue.Disk, UpdatedAt: createdAt,
	}
}

// plan is a plan as JSON. No plan costs anything.
type plan struct {
	AddOnService                     wire.Ref `json:"addon_service"`
	Compliance                       []string `json:"compliance"`
	CreatedAt                        string   `json:"created_at"`
	Default                          bool     `json:"default"`
	Description                      string   `json:"description"`
	HumanName                        string   `json:"human_name"`
	ID                               string   `json:"id"`
	InstallableInsidePrivateNetwork  bool     `json:"installable_inside_private_network"`
	InstallableOutsidePrivateNetwork bool     `json:"installable_outside_private_network"`
	Name                             string   `json:"name"`
	Price                            price    `json:"price"`
	SpaceDefault                     bool     `json:"space_default"`
	State                            string   `json:"state"`
	UpdatedAt                        string   `json:"updated_at"`
	Visible                          bool     `json:"visible"`
}

type price struct {
	Cents    int    `json:"cents"`
	Contract bool   `json:"contract"`
	Unit     string `json:"unit"`
}

var free = price{Unit: "month"}

func planRef(name string) wire.Ref { return wire.Ref{ID: idOf("plan", name), Name: name} }

func newPlan(c catalogue.Service, p catalogue.Plan) plan {
	name := renga.PlanName(c.Name, p.Name)
	return plan{
		AddOnService: serviceRef(c.Name), CreatedAt: createdAt, Default: c.Plans[0].Name == p.Name,
		Description: c.HumanName + " " + p.HumanName, HumanName: p.HumanName, ID: idOf("plan", name),
		InstallableOutsidePrivateNetwork: true, Name: name, Price: free, State: "ga", UpdatedAt: createdAt, Visible: true,
	}
}

func (s *Server) listServices(w http.ResponseWriter, r *http.Request) error {
	var all []service
	for _, c := range s.parts.Catalogue.Services() {
		all = append(all, newService(c))
	}
	return wire.List(w, r, all,
		wire.By("id", func(x service) string { return x.ID }),
		wire.By("name", func(x service) string { return x.Name }))
}

func (s *Server) serviceInfo(w http.ResponseWriter, r *http.Request) error {
	c, err := s.serviceOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newService(c))
}

// serviceOf finds the service of the path.
func (s *Server) serviceOf(r *http.Request) (catalogue.Service, error) {
	return s.serviceNamed(mux.Vars(r)["service"])
}

// serviceNamed finds a service by its id, its name or an alias.
func (s *Server) serviceNamed(identity string) (catalogue.Service, error) {
	for _, c := range s.parts.Catalogue.Services() {
		if c.Name == identity || strings.EqualFold(idOf("service", c.Name), identity) {
			return c, nil
		}
	}
	if c, _, err := s.parts.Catalogue.Plan(identity); err == nil && slices.Contains(c.Aliases, identity) {
		return c, nil
	}
	return catalogue.Service{}, wire.Missing("add-on service", "addon_service")
}

func (s *Server) listPlans(w http.ResponseWriter, r *http.Request) error {
	c, err := s.serviceOf(r)
	if err != nil {
		return err
	}
	var all []plan
	for _, p := range c.Plans {
		all = append(all, newPlan(c, p))
	}
	return wire.List(w, r, all,
		wire.By("id", func(x plan) string { return x.ID }),
		wire.By("name", func(x plan) string { return x.Name }))
}

// planInfo answers with one plan, of the service of the path or of any service.
func (s *Server) planInfo(w http.ResponseWriter, r *http.Request) error {
	identity, ofOne := mux.Vars(r)["plan"], ""
	if mux.Vars(r)["service"] != "" {
		c, err := s.serviceOf(r)
		if err != nil {
			return err
		}
		ofOne = c.Name
	}
	for _, c := range s.parts.Catalogue.Services() {
		if ofOne != "" && c.Name != ofOne {
			continue
		}
		for _, p := range c.Plans {
			x := newPlan(c, p)
			if x.Name == identity || strings.EqualFold(x.ID, identity) || ofOne != "" && p.Name == identity {
				return wire.Answer(w, http.StatusOK, x)
			}
		}
	}
	return wire.NotFound("plan")
}

// capability says that a service is available in a region: every service is in the
// only one.
type capability struct {
	AddOnService              service `json:"addon_service"`
	ID                        string  `json:"id"`
	Region                    any     `json:"region"`
	SupportsPrivateNetworking bool    `json:"supports_private_networking"`
}

func (s *Server) capabilities(w http.ResponseWriter, r *http.Request, services []catalogue.Service) error {
	var all []capability
	for _, c := range services {
		all = append(all, capability{
			AddOnService: newService(c), ID: idOf("capability", c.Name), Region: s.parts.ShowRegion(),
		})
	}
	return wire.List(w, r, all, wire.By("id", func(x capability) string { return x.ID }))
}

func (s *Server) listCapabilities(w http.ResponseWriter, r *http.Request) error {
	return s.capabilities(w, r, s.parts.Catalogue.Services())
}

func (s *Server) listCapabilitiesOfService(w http.ResponseWriter, r *http.Request) error {
	c, err := s.serviceOf(r)
	if err != nil {
		return err
	}
	return s.capabilities(w, r, []catalogue.Service{c})
}

func (s *Server) listCapabilitiesOfRegion(w http.ResponseWriter, r *http.Request) error {
	if err := s.parts.KnownRegion(r); err != nil {
		return err
	}
	return s.listCapabilities(w, r)
}
