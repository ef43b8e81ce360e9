package addons

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"renga"
	"renga/api/wire"
)

// addOn is an add-on as JSON. Service and plan have names and ids, or all their
// fields if the client asked for that.
type addOn struct {
	Actions          []wire.Empty  `json:"actions"`
	AddOnService     any           `json:"addon_service"`
	App              wire.Ref      `json:"app"`
	BilledPrice      price         `json:"billed_price"`
	BillingEntity    billingEntity `json:"billing_entity"`
	ConfigVars       []string      `json:"config_vars"`
	CreatedAt        string        `json:"created_at"`
	ID               string        `json:"id"`
	Name             string        `json:"name"`
	Plan             any           `json:"plan"`
	ProviderID       string        `json:"provider_id"`
	ProvisionMessage string        `json:"provision_message"`
	State            string        `json:"state"`
	UpdatedAt        string        `json:"updated_at"`
	// Warnings are what it has nearly used up; most add-ons have none.
	Warnings []warning `json:"warnings,omitempty"`
	WebURL   *string   `json:"web_url"`
}

type billingEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func (s *Server) newAddOn(a renga.AddOn, app renga.App, asked asked) addOn {
	x := addOn{
		Actions: []wire.Empty{}, AddOnService: serviceRef(a.Service), App: wire.AppRef(app), BilledPrice: free,
		BillingEntity: billingEntity{ID: string(app.ID), Name: app.Name, Type: "app"},
		ConfigVars:    []string{}, CreatedAt: wire.Stamp(a.CreatedAt), ID: string(a.ID), Name: a.Name,
		Plan: planRef(a.PlanName()), ProviderID: cmp.Or(a.Partner.ID, string(a.ID)),
		ProvisionMessage: cmp.Or(a.Fault, a.Step, a.Partner.Message), State: string(a.State),
		UpdatedAt: wire.Stamp(a.UpdatedAt), Warnings: warningsOf(a),
	}
	for _, at := range a.Attachments {
		if at.App == a.App && !at.Leaving {
			x.ConfigVars = append(x.ConfigVars, s.configVars(a, at)...)
		}
	}
	// a service that the catalogue no longer has keeps its name
	if c, p, err := s.parts.Catalogue.Plan(a.PlanName()); err == nil {
		if asked.expanded("addon_service") {
			x.AddOnService = newService(c)
		}
		if asked.expanded("plan") {
			x.Plan = newPlan(c, p)
		}
	}
	return x
}

// configVars gives the names of the config vars that an attachment gives its app.
func (s *Server) configVars(a renga.AddOn, at renga.Attachment) []string {
	suffixes := map[string]bool{}
	c, _, err := s.parts.Catalogue.Plan(a.PlanName())
	if err == nil {
		for suffix := range c.Config {
			suffixes[suffix] = true
		}
	}
	for name := range a.Partner.Config {
		suffixes[strings.TrimPrefix(name, c.Attachment+"_")] = true
	}
	if s.parts.Bastion != "" && a.Service == redis { // redis:cli looks at no others than are listed
		suffixes[bastionHosts], suffixes[bastionKey] = true, true
	}
	names := make([]string, 0, len(suffixes))
	for suffix := range suffixes {
		names = append(names, at.Name+"_"+suffix)
	}
	slices.Sort(names)
	return names
}

// attachment is an attachment as JSON.
type attachment struct {
	AddOn       attachedAddOn `json:"addon"`
	App         wire.Ref      `json:"app"`
	ConfigVars  *[]string     `json:"config_vars,omitempty"` // if the client asked for them
	CreatedAt   string        `json:"created_at"`
	ID          string        `json:"id"`
	LogInputURL *string       `json:"log_input_url"`
	Name        string        `json:"name"`
	Namespace   *string       `json:"namespace"`
	UpdatedAt   string        `json:"updated_at"`
	WebURL      *string       `json:"web_url"`
}

type attachedAddOn struct {
	App  wire.Ref  `json:"app"`
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Plan *wire.Ref `json:"plan,omitempty"` // if the client asked for them
}

func (s *Server) newAttachment(a renga.AddOn, at renga.Attachment, v view, asked asked) attachment {
	x := attachment{
		AddOn: attachedAddOn{App: wire.AppRef(v.apps[a.App]), ID: string(a.ID), Name: a.Name},
		App:   wire.AppRef(v.apps[at.App]), CreatedAt: wire.Stamp(at.CreatedAt), ID: at.ID, Name: at.Name,
		UpdatedAt: wire.Stamp(at.UpdatedAt),
	}
	if at.Credential != renga.DefaultCredential && at.Credential != "" {
		x.Namespace = wire.OrNull(credentialSpace + at.Credential)
	}
	if asked.included("addon:plan") {
		ref := planRef(a.PlanName())
		x.AddOn.Plan = &ref
	}
	if asked.included("config_vars") {
		names := s.configVars(a, at)
		x.ConfigVars = &names
	}
	return x
}

// credentialSpace begins the namespace of an attachment with another credential
// than the default one.
const credentialSpace = "credential:"

// asked says which resources inside an answer a client wants whole.
type asked struct{ http.Header }

func askedBy(r *http.Request) asked { return asked{r.Header} }

func (a asked) expanded(field string) bool { return a.lists("Accept-Expansion", field) }
func (a asked) included(field string) bool { return a.lists("Accept-Inclusion", field) }

func (a asked) lists(header, field string) bool {
	for _, value := range a.Values(header) {
		for name := range strings.SplitSeq(value, ",") {
			if strings.TrimSpace(name) == field {
				return true
			}
		}
	}
	return false
}

// Show gives an add-on as JSON as it was at an event, for other families.
func (s *Server) Show(ctx context.Context, a renga.AddOn) (any, error) {
	v, err := s.namesOf(ctx, a.App)
	return s.newAddOn(a, v.apps[a.App], asked{}), err
}

// ShowAttachment gives an attachment as JSON, for other families.
func (s *Server) ShowAttachment(ctx context.Context, a renga.AddOn, at renga.Attachment) (any, error) {
	v, err := s.namesOf(ctx, a.App, at.App)
	return s.newAttachment(a, at, v, asked{}), err
}

// namesOf gives the names of apps, for what refers to them; the id of an app that
// was deleted.
func (s *Server) namesOf(ctx context.Context, ids ...renga.AppID) (view, error) {
	v := view{apps: map[renga.AppID]renga.App{}}
	for _, id := range ids {
		v.apps[id] = renga.App{ID: id}
	}
	apps, err := s.Apps.SomeApps(ctx, ids)
	for _, a := range apps {
		v.apps[a.ID] = a
	}
	return v, err
}
