package addons

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// What Heroku's CLI asks the host of Heroku Data for, in pg:info, pg:wait,
// pg:promote, pg:credentials:rotate and redis:info. It is in no schema; the fields
// are those that the CLI looks at.

const (
	postgres = "heroku-postgresql"
	redis    = "heroku-redis"
)

func (s *Server) databaseRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/client/v11/databases/{addon}", wire.Reading, s.databaseOf(postgres)),
		wire.Get("/client/v11/databases/{addon}/wait_status", wire.Reading, s.waitStatusOf(postgres)),
		wire.Get("/redis/v0/databases/{addon}", wire.Reading, s.databaseOf(redis)),
		wire.Post("/postgres/v0/databases/{addon}/credentials_rotation", wire.OnToken(renga.ScopeWriteProtected),
			s.rotateAll),
		wire.Post("/postgres/v0/databases/{addon}/credentials/{credential}/credentials_rotation",
			wire.OnToken(renga.ScopeWriteProtected), s.rotateOne),
	}
}

// database is one as the CLI shows it.
type database struct {
	Name string `json:"name"`
	Plan string `json:"plan"`
	Info []fact `json:"info"`
	// URL is for those who read config vars; that of PostgreSQL is told there alone.
	URL       *string `json:"resource_url"`
	Following *string `json:"following"`
	NativeTLS bool    `json:"prefer_native_tls"`
}

// fact is one line of it.
type fact struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// databaseNamed is the add-on of the path if it is one of a service. If rights are named,
// the caller must have one of them on the app that it was made for.
func (s *Server) databaseNamed(r *http.Request, service string, either ...renga.Permission) (renga.AddOn, view, error) {
	a, v, err := s.addOnOf(r)
	if err == nil && a.Service != service {
		err = missing()
	}
	if err == nil && len(either) > 0 {
		err = v.permit(r, a, either...)
	}
	return a, v, err
}

func (s *Server) databaseOf(service string) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, v, err := s.databaseNamed(r, service)
		if err != nil {
			return err
		}
		at, err := s.resourceURL(r, a, v)
		if err != nil {
			return err
		}
		return wire.Answer(w, http.StatusOK, database{Name: a.Name, Plan: a.Plan, Info: s.facts(a), URL: at})
	}
}

// resourceURL is the URL that Redis' own app has, for those who read its config vars:
// redis:cli takes it from here. Nil for all others, and as long as it has none.
func (s *Server) resourceURL(r *http.Request, a renga.AddOn, v view) (*string, error) {
	if a.Service != redis || !wire.InfoOf(r).Bearer.Authorization.Scopes.Allow(renga.ScopeReadProtected) ||
		v.permit(r, a, renga.MayDeploy, renga.MayOperate) != nil {
		return nil, nil
	}
	vars, err := s.credentialsOf(r.Context(), a.App, a.ID)
	if err != nil {
		return nil, err
	}
	for _, at := range a.Attachments {
		if name, to := addressIn(vars, attached{at, a}); at.App == a.App && !at.Leaving && to != nil {
			value := vars[name]
			return &value, nil
		}
	}
	return nil, nil
}

// facts are what is known of an add-on without asking its service.
func (s *Server) facts(a renga.AddOn) []fact {
	all := []fact{{"Plan", []string{a.Plan}}, {"Status", []string{statusOf(a)}}}
	if version := a.Options["version"]; version != "" {
		all = append(all, fact{"Version", []string{version}})
	}
	if a.Upgrade.State != "" {
		all = append(all, fact{"Upgrade", []string{upgradeMessage(a)}})
	}
	all = append(all, usageFacts(s.parts.Usages.Usage(a.ID))...)
	return append(all, fact{"Created", []string{a.CreatedAt.UTC().Format(time.RFC3339)}})
}

// statusOf says how an add-on is, in words.
func statusOf(a renga.AddOn) string {
	switch {
	case a.Fault != "":
		return a.Fault
	case a.State == renga.Provisioned:
		return "Available"
	case a.Step != "":
		return a.Step
	}
	return string(a.State)
}

// waitStatusOf tells whether it is worth waiting for an add-on of a service.
func (s *Server) waitStatusOf(service string) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, _, err := s.databaseNamed(r, service)
		if err != nil {
			return err
		}
		return wire.Answer(w, http.StatusOK, waitStatus{a.State == renga.Provisioning, a.State == renga.Deprovisioned, statusOf(a)})
	}
}

// waitStatus is what the CLI asks again and again while it waits for a database.
type waitStatus struct {
	Waiting bool   `json:"waiting?"`
	Failed  bool   `json:"error?"`
	Message string `json:"message"`
}

// rotateAll replaces each credential.
func (s *Server) rotateAll(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.databaseNamed(r, postgres)
	if err != nil {
		return err
	}
	for _, name := range credentialNames(a) {
		if err := s.rotateCredential(r, a, v, name); err != nil {
			return err
		}
	}
	return wire.Answer(w, http.StatusOK, wire.Empty{})
}

// credentialNames are the names of the credentials that apps may have, each once.
func credentialNames(a renga.AddOn) []string {
	var all []string
	for _, c := range a.Credentials {
		if newest := a.Credential(c.Name); newest != nil && newest.Version == c.Version {
			all = append(all, c.Name)
		}
	}
	return all
}

func (s *Server) rotateOne(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.databaseNamed(r, postgres)
	if err != nil {
		return err
	}
	if err := s.rotateCredential(r, a, v, mux.Vars(r)["credential"]); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, wire.Empty{})
}
