package api

import (
	"context"
	"net/http"
	"renga"
	"slices"

	"renga/api/apps"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/people"
	"renga/api/releases"
	"renga/api/wire"

	"renga/api/events"
)

// Options are the platform's settings as far as the API shows them.
type Options struct {
	wire.Settings
	// RateLimit is how many requests an account may make in an hour; 0 for
	// Heroku's 4,500.
	RateLimit int
	// Checks are what /healthz asks, by name. Each ends when its context does.
	Checks  map[string]func(context.Context) error
	Version string
}

// Parts are who does the work.
type Parts struct {
	Wire     wire.Parts
	Events   events.Parts
	Dynos    dynos.Parts
	Apps     apps.Parts
	Releases releases.Parts
	Domains  domains.Parts
	People   people.Parts

	Pipelines    Pipelines
	PipelineVars PipelineVars
	Promotions   Promotions
}

// Server is the API as an http.Handler. It serves /healthz, the status and the
// schema to everybody, streams to those who have their URL, and all else to
// those with a token.
type Server struct {
	*wire.Door
	options  Options
	parts    Parts
	rates    *rates
	people   *people.Server
	events   *events.Server
	dynos    *dynos.Server
	apps     *apps.Server
	releases *releases.Server
	domains  *domains.Server
	handler  http.Handler
}

// New makes a Server. Nothing is started.
func New(o Options, p Parts) *Server {
	door := wire.NewDoor(o.Settings, p.Wire)
	s := &Server{
		Door: door, options: o, parts: p, rates: newRates(o.RateLimit),
		people:   people.New(door, p.People),
		dynos:    dynos.New(door, p.Dynos),
		apps:     apps.New(door, p.Apps),
		releases: releases.New(door, p.Releases),
	}
	p.Domains.ShowApp = s.apps.Show
	s.domains = domains.New(door, p.Domains)
	p.Events.Shown = events.Shown{
		App: s.apps.Show, Collaborator: s.apps.ShowCollaborator, Release: releases.ShowRecord,
		Dyno: dynos.Show, Process: dynos.ShowProcess, Domain: s.domains.Show, Endpoint: s.domains.ShowEndpoint,
	}
	s.events = events.New(door, p.Events)
	routes := s.routes()
	doors := split("/healthz", s.Handle(s.health), s.Locked(routes, s.count))
	doors = split(statusPath, s.Handle(s.status), doors)
	for _, path := range schemaPaths {
		doors = split(path, s.Handle(s.schema()), doors)
	}
	s.handler = wire.WithVisit(s.logAccess(s.recoverPanics(wire.LimitBody(s.Unlocked(routes, wire.TagAnswers(doors))))))
	return s
}

// Payload is an event as receivers of webhooks get it, all but what is about its
// delivery.
func (s *Server) Payload(ctx context.Context, e renga.Event) (map[string]any, error) {
	return s.events.Payload(ctx, e)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) routes() []wire.Route {
	return slices.Concat(
		s.people.Routes(), s.events.Routes(), s.dynos.Routes(), s.apps.Routes(), s.releases.Routes(), s.domains.Routes(),
		s.rateLimitRoutes(),

		s.pipelineRoutes(), s.pipelineVarRoutes(), s.pipelineViewRoutes(), s.couplingRoutes(), s.promotionRoutes(),
	)
}

// split sends one path to one handler and all others to another. Unlike
// http.ServeMux it redirects nothing: a redirect would make a GET of a POST.
func split(path string, one, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			one.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}
