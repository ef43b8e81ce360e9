package imports

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) ruleRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/registry-webhooks", wire.Looking, s.listRules),
		wire.Post("/apps/{app}/registry-webhooks", wire.Pushing, s.addRule),
		wire.Get("/apps/{app}/registry-webhooks/{webhook}", wire.Looking, s.ruleInfo),
		wire.Delete("/apps/{app}/registry-webhooks/{webhook}", wire.Pushing, s.removeRule),
		wire.Get("/apps/{app}/registry-webhooks/{webhook}/notices", wire.Looking, s.listNotices),
		wire.Post("/webhooks/registry/{source}/{owner}/{webhook}", wire.Open, s.takeNotice),
	}
}

// rule is a registry webhook as JSON. The secret is shown when it is made, and never
// again.
type rule struct {
	App            wire.Ref    `json:"app"`
	CreatedAt      string      `json:"created_at"`
	ID             string      `json:"id"`
	Polling        *polling    `json:"polling"`
	Process        string      `json:"process_type"`
	Repository     string      `json:"repository"`
	Secret         string      `json:"secret,omitempty"`
	ServiceAccount *string     `json:"service_account"`
	Source         string      `json:"source"`
	Tag            string      `json:"tag"`
	URL            *string     `json:"url"` // null if nothing is sent
	User           wire.Person `json:"user"`
}

// polling is how the webhook asks by itself; null if it does not.
type polling struct {
	Every    int     `json:"every_seconds"`
	Digest   *string `json:"digest"` // that it was told last
	Failures int     `json:"failures"`
	LastAt   *string `json:"last_at"`
	NextAt   *string `json:"next_at"`
	Reason   *string `json:"reason"` // of the last failure
}

func showPolling(p renga.Polling) *polling {
	if p.Every == 0 {
		return nil
	}
	shown := &polling{Every: int(p.Every.Seconds()), Failures: p.Failures}
	if p.Digest != "" {
		shown.Digest = &p.Digest
	}
	if p.Reason != "" {
		shown.Reason = &p.Reason
	}
	if !p.At.IsZero() {
		last, next := wire.Stamp(p.At), wire.Stamp(p.Next)
		shown.LastAt, shown.NextAt = &last, &next
	}
	return shown
}

func (s *Server) showRule(r *http.Request, a renga.App, it renga.ImportRule, known *wire.People) (rule, error) {
	by, err := known.Find(r.Context(), it.By)
	shown := rule{
		App: wire.AppRef(a), CreatedAt: wire.Stamp(it.CreatedAt), ID: it.ID, Polling: showPolling(it.Polling),
		Process: string(it.Process), Repository: it.Repository, Source: it.Source, Tag: it.Tags, User: by,
	}
	if it.ServiceAccount != "" {
		shown.ServiceAccount = &it.ServiceAccount
	}
	if it.Source != renga.Polled {
		at := s.ruleURL(it)
		shown.URL = &at
	}
	return shown, err
}

// ruleURL is where notices for a rule are sent; it is what a token must be made for,
// too.
func (s *Server) ruleURL(it renga.ImportRule) string {
	return s.BaseURL("api") + "/webhooks/registry/" + it.Source + "/" + string(it.App) + "/" + it.ID
}

func (s *Server) listRules(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Rules.ImportRules(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	known := s.People()
	show := func(it renga.ImportRule) (rule, error) { return s.showRule(r, a, it, known) }
	return wire.ListAs(w, r, all, wire.Each(show),
		wire.ByTime("created_at", func(i renga.ImportRule) (time.Time, string) { return i.CreatedAt, i.ID }),
		wire.By("id", func(i renga.ImportRule) string { return i.ID }))
}

func (s *Server) ruleInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	it, err := s.parts.Rules.ImportRule(r.Context(), a.ID, strings.ToLower(mux.Vars(r)["webhook"]))
	if err != nil {
		return wire.OrNotFound(err, "registry webhook")
	}
	shown, err := s.showRule(r, a, it, s.People())
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) addRule(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var body newRule
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	it := body.rule()
	it.ID, it.App, it.By, it.CreatedAt = uuid.NewString(), a.ID, wire.Caller(r).ID, s.Now()
	if it.HasSecret() {
		it.Secret = wire.NewSecret()
	}
	if err := renga.ValidateProcessType(it.Process); err != nil {
		return err
	}
	if err := s.parts.Importer.CheckRule(it); err != nil {
		return err
	}
	if err := s.parts.Rules.AddImportRule(r.Context(), it); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "registry webhook added", a.Name, "webhook", it.ID, "repository", it.Repository)
	shown, err := s.showRule(r, a, it, s.People())
	if err != nil {
		return err
	}
	shown.Secret = string(it.Secret)
	if it.HasSecret() && s.parts.Importer.SecretInURL(it.Source) {
		*shown.URL += "?" + url.Values{"secret": {shown.Secret}}.Encode()
	}
	return wire.Answer(w, http.StatusCreated, shown)
}

// newRule asks for a registry webhook.
type newRule struct {
	Source         string `json:"source"`
	Repository     string `json:"repository"`
	Tag            string `json:"tag"`
	Process        string `json:"process_type"`
	Poll           int    `json:"poll_seconds"`
	ServiceAccount string `json:"service_account"`
}

// rule is what is asked for, with what is meant where nothing is said.
func (n newRule) rule() renga.ImportRule {
	it := renga.ImportRule{
		Source: n.Source, Repository: n.Repository, Tags: cmp.Or(n.Tag, "latest"),
		Process: cmp.Or(renga.ProcessType(n.Process), renga.Web), ServiceAccount: n.ServiceAccount,
		Polling: renga.Polling{Every: time.Duration(min(n.Poll, 1<<20)) * time.Second},
	}
	if it.Source == renga.Polled && n.Poll == 0 {
		it.Polling.Every = renga.DefaultPollEvery
	}
	return it
}

func (s *Server) removeRule(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	id := strings.ToLower(mux.Vars(r)["webhook"])
	if err := s.parts.Rules.RemoveImportRule(r.Context(), a.ID, id); err != nil {
		return wire.OrNotFound(err, "registry webhook")
	}
	s.Audit(r, "registry webhook removed", a.Name, "webhook", id)
	return wire.Answer(w, http.StatusOK, wire.Empty{})
}
