// Package api answers the Heroku Platform API, version 3: Heroku's paths, JSON,
// ids, status codes, error bodies and Range paging, over the platform's nouns.
//
// One file holds one resource: the struct that goes over the wire, the function
// that makes it out of a noun, the handlers, and their routes at its top. A
// handler decodes, calls and encodes; what it returns as an error becomes an
// answer in errors.go. Nothing of the wire leaves this package.
//
// A request may ask for any "version=3" or "version=3.variant" in its Accept
// header, or for none: there is one version, and all variants are answered
// alike.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"renga"
)

// Options are the platform's settings as far as the API shows them.
type Options struct {
	// Domain is the platform's, without port. Apps answer below it.
	Domain string
	// Scheme and Port complete apps' URLs. An empty Port is left out.
	Scheme, Port string
	// ACME says that certificates are ordered for domains, from a CA that
	// everybody trusts.
	ACME bool
	// Sizes are the dyno sizes by their lower-case name.
	Sizes map[string]renga.Size
	// RendezvousPort is where Heroku's CLI finds attached dynos, over TLS; empty
	// when it cannot.
	RendezvousPort string
	// StreamKey signs the URLs of streams, which are secrets by themselves.
	StreamKey []byte
	// RateLimit is how many requests an account may make in an hour; 0 for
	// Heroku's 4,500.
	RateLimit int
	// Reachable says why webhooks may not be delivered to an address; nil where
	// they may, and everywhere without it.
	Reachable func(netip.Addr) error
	// Checks are what /healthz asks, by name. Each ends when its context does.
	Checks  map[string]func(context.Context) error
	Version string
	Log     *slog.Logger
	Now     func() time.Time // the clock; nil for the real one
}

// Parts are who does the work.
type Parts struct {
	Repeats        Repeats
	Tokens         Tokens
	Logins         Logins
	Authorizations Authorizations
	Browsers       BrowserLogins
	Keys           Keys
	Transfers      Transfers
	Owners         Owners
	Accounts       Accounts
	Apps           Apps
	Creator        Creator
	Deleter        Deleter
	Renamer        Renamer
	Releases       Releases
	Outputs        Outputs
	Releaser       Releaser
	Rollouts       Rollouts
	Vars           Vars
	Formations     Formations
	Images         Images
	Deployer       Deployer
	Dynos          Dynos
	OneOffs        OneOffs
	// Attach speaks with the clients of attached dynos.
	Attach http.Handler
	Waker  Waker
	Lines  Lines
	Logs   Logs

	Pipelines    Pipelines
	PipelineVars PipelineVars
	Promotions   Promotions
	Webhooks     Webhooks

	Schedules Schedules
	Scheduler Scheduler

	Drains  Drains
	Drainer Waker // of an app's drains

	Minutes Minutes
	Visits  Visits
	Sleeps  Sleeps

	Domains   Domains
	Endpoints Endpoints
	Orders    Orders
}

// Lines takes what people do to an app, for its log.
type Lines interface {
	// Did notes what an account did, such as "Scaled to web@2:Standard-1X".
	Did(ctx context.Context, app renga.AppID, by renga.AccountID, what string)
}

// Waker is told when an app should be looked at.
type Waker interface {
	Wake(app renga.AppID)
}

// Server is the API as an http.Handler. It serves /healthz, the status and the
// schema to everybody, streams to those who have their URL, and all else to
// those with a token.
type Server struct {
	options Options
	parts   Parts
	log     *slog.Logger
	now     func() time.Time
	rates   *rates
	handler http.Handler
	handing sync.Mutex // held while an app changes hands
	// lookAgain is how often is asked whether the right to a stream is there still.
	lookAgain time.Duration
	// ending is closed when streams that go on for ever are to end.
	ending     chan struct{}
	endStreams sync.Once
}

// New makes a Server. Nothing is started.
func New(o Options, p Parts) *Server {
	s := &Server{options: o, parts: p, log: o.Log, now: o.Now, rates: newRates(o.RateLimit), lookAgain: lookAgain, ending: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	doors := split("/healthz", s.handle(s.health), s.authenticate(s.resources()))
	doors = split(statusPath, s.handle(s.status), doors)
	for _, path := range schemaPaths {
		doors = split(path, s.handle(s.schema()), doors)
	}
	s.handler = withVisit(s.logAccess(s.recoverPanics(limitBody(s.unlocked(tagAnswers(doors))))))
	return s
}

// EndStreams ends the streams that would go on for ever, so that the server can
// end. Clients connect again, and say where they were.
func (s *Server) EndStreams() { s.endStreams.Do(func() { close(s.ending) }) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// handler does one thing of the API. An error becomes the answer.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one line of a resource's table.
type route struct {
	method, path string
	do           handler
}

func (s *Server) routes() []route {
	return slices.Concat(
		s.accountRoutes(), s.accountFeatureRoutes(), s.authorizationRoutes(), s.keyRoutes(), s.preferenceRoutes(), s.rateLimitRoutes(), s.transferRoutes(),
		s.appRoutes(), s.collaboratorRoutes(), s.configVarRoutes(), s.releaseRoutes(), s.releaseActionRoutes(), s.formationRoutes(),
		s.dynoRoutes(), s.oneOffRoutes(), s.execRoutes(), s.commandRoutes(), s.dynoSizeRoutes(), s.regionRoutes(), s.stackRoutes(), s.logSessionRoutes(), s.logDrainRoutes(), s.featureRoutes(), s.metricRoutes(), s.healthCheckRoutes(), s.sleepRoutes(), s.canaryRoutes(), s.scheduleRoutes(),
		s.addOnRoutes(), s.buildpackRoutes(), s.teamRoutes(),
		s.pipelineRoutes(), s.pipelineVarRoutes(), s.pipelineViewRoutes(), s.couplingRoutes(), s.promotionRoutes(), s.filterRoutes(),
		s.domainRoutes(), s.sniEndpointRoutes(), s.acmRoutes(),
		s.webhookRoutes(), s.webhookEventRoutes(), s.webhookDeliveryRoutes(),
	)
}

// openRoutes are those whose URL is a secret that needs no token besides, and
// those of people who have no token yet.
func (s *Server) openRoutes() []route {
	return slices.Concat(s.releaseOutputRoutes(), s.attachRoutes(), s.logStreamRoutes(), s.browserLoginRoutes())
}

// unlocked answers the open routes itself and leaves all else to locked.
func (s *Server) unlocked(locked http.Handler) http.Handler {
	m := s.mux(s.openRoutes())
	m.NotFoundHandler, m.MethodNotAllowedHandler = locked, locked
	return m
}

func (s *Server) resources() http.Handler {
	m := s.mux(s.guarded(s.routes()))
	m.NotFoundHandler = s.handle(noEndpoint)
	m.MethodNotAllowedHandler = s.handle(otherMethod(m))
	return m
}

func (s *Server) mux(routes []route) *mux.Router {
	m := mux.NewRouter().SkipClean(true)
	for _, rt := range routes {
		methods := []string{rt.method}
		if rt.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		m.Handle(rt.path, s.handle(rt.do)).Methods(methods...)
	}
	return m
}

// handle makes an http.Handler that answers errors in Heroku's form.
func (s *Server) handle(do handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visitOf(r).answer = w.Header() // the innermost handler's is what is remembered for repeats
		if err := do(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
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
