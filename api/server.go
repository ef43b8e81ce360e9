package api

import (
	"context"
	"net/http"
	"slices"

	"renga"
	"renga/api/addons"
	"renga/api/apps"
	"renga/api/builds"
	"renga/api/domains"
	"renga/api/dynos"
	"renga/api/events"
	"renga/api/imports"
	"renga/api/people"
	"renga/api/pipelines"
	"renga/api/platform"
	"renga/api/releases"
	"renga/api/wire"
)

// Options are the platform's settings that the API needs.
type Options struct {
	wire.Settings
	// RateLimit is how many requests an account may make in an hour; 0 for
	// Heroku's 4,500.
	RateLimit int
	// Checks are the health checks of /healthz, by name. Each ends when its context
	// does.
	Checks  map[string]func(context.Context) error
	Version string
}

// Parts are the rooms that the API needs, by family.
type Parts struct {
	Wire      wire.Parts
	People    people.Parts
	Apps      apps.Parts
	AddOns    addons.Parts
	Releases  releases.Parts
	Dynos     dynos.Parts
	Domains   domains.Parts
	Pipelines pipelines.Parts
	Events    events.Parts
	Imports   imports.Parts
	Builds    builds.Parts
	Platform  platform.Parts
}

// Server is the API as an http.Handler. /healthz, the status and the schema need no
// token, streams need their URL, and all other routes need a token.
type Server struct {
	*wire.Door
	options Options
	rates   *rates
	events  *events.Server
	routes  []wire.Route
	handler http.Handler
}

// New makes a Server. Nothing is started.
func New(o Options, p Parts) *Server {
	s := &Server{Door: wire.NewDoor(o.Settings, p.Wire), options: o, rates: newRates(o.RateLimit)}
	s.routes = append(s.families(p), s.rateLimitRoutes()...)
	doors := split("/healthz", s.Handle(s.health), s.Locked(s.routes, s.count))
	doors = split(statusPath, s.Handle(s.status), doors)
	for _, path := range schemaPaths {
		doors = split(path, s.Handle(s.schema()), doors)
	}
	s.handler = wire.WithRequestInfo(
		s.logAccess(s.recoverPanics(wire.LimitBody(s.Unlocked(s.routes, wire.TagAnswers(doors))))),
	)
	return s
}

// families gives the routes of all families. What one family shows of another's
// resources it is given here.
func (s *Server) families(p Parts) []wire.Route {
	accounts := people.New(s.Door, p.People)
	p.AddOns.ShowRegion, p.AddOns.KnownRegion = apps.ShowRegion, apps.KnownRegion
	addOn := addons.New(s.Door, p.AddOns)
	p.Apps.BastionVars = addOn.BastionVars
	app := apps.New(s.Door, p.Apps)
	p.Releases.AddOnName = addOn.NameOf
	imported := imports.New(s.Door, p.Imports)
	p.Releases.ShowImport = imported.Show
	release := releases.New(s.Door, p.Releases)
	dyno := dynos.New(s.Door, p.Dynos)
	p.Domains.ShowApp = app.Show
	domain := domains.New(s.Door, p.Domains)
	p.Pipelines.ShowRelease, p.Pipelines.VersionOf = release.Show, release.VersionOf
	pipeline := pipelines.New(s.Door, p.Pipelines)
	p.Events.Shown = events.Shown{
		App: app.Show, Collaborator: app.ShowCollaborator, Release: releases.ShowRecord,
		Dyno: dynos.Show, Process: dynos.ShowProcess, Domain: domain.Show, Endpoint: domain.ShowEndpoint,
		AddOn: addOn.Show, Failed: addOn.ShowFailed, Attachment: addOn.ShowAttachment,
	}
	s.events = events.New(s.Door, p.Events)
	return slices.Concat(
		accounts.Routes(), app.Routes(), addOn.Routes(), release.Routes(), dyno.Routes(), domain.Routes(),
		pipeline.Routes(), imported.Routes(), s.events.Routes(), platform.New(s.Door, p.Platform).Routes(),
		builds.New(s.Door, p.Builds).Routes(),
	)
}

// Payload gives an event as receivers of webhooks get it, without what concerns its
// delivery.
func (s *Server) Payload(ctx context.Context, e renga.Event) (map[string]any, error) {
	return s.events.Payload(ctx, e)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// split sends one path to one handler and all others to another. Unlike
// http.ServeMux it never redirects, because a redirect turns a POST into a GET.
func split(path string, one, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			one.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}
