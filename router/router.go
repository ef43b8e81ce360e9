// Package router passes HTTP requests on to web dynos: it finds the app by the
// Host header, chooses one of its dynos at random, and streams the request and
// the answer. Every failure has Heroku's code.
//
// The table of routes is replaced whole and read without locks. A request
// claims its dyno before it is sent. So [Router.Drain], called after
// [Router.Route] took a dyno away, waits for all requests of that dyno: that is
// why a deploy loses none.
//
// Where it differs from Heroku's router on purpose:
//   - the limit of requests in flight is kept per dyno, not per app, and a full
//     dyno is passed over: H11 comes when all are full;
//   - quarantine is a preference: when all dynos are quarantined they are asked
//     nevertheless, so there is no H34;
//   - requests that may not be repeated go over a connection of their own, with
//     Connection: close, see target.go;
//   - an app that is not there is answered 404 without a code.
//
// X-Forwarded-Host and Forwarded are not set; what the client sent is passed
// on, as Heroku does.
package router

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"renga"
)

// RequestLog writes what became of each request into the app's log. It is
// called once per request, after the answer, on the request's goroutine: it
// must not block.
type RequestLog interface {
	Request(Record)
}

// Options are the router's settings. Zero values mean the defaults.
type Options struct {
	// ConnectTimeout bounds one attempt to connect to a dyno (5 s): H19.
	ConnectTimeout time.Duration
	// FirstByteTimeout is how long a dyno may take from the end of the request to
	// the answer's headers (30 s): H12.
	FirstByteTimeout time.Duration
	// IdleTimeout is how long no byte may move in either direction (55 s): H15 if
	// the dyno is silent, H28 if the client is. It may be up to a sixteenth
	// longer.
	IdleTimeout time.Duration
	// StartTimeout is how long a request waits for an app that starts (75 s): H20.
	StartTimeout time.Duration
	// Quarantine is how long a dyno that refused a connection is avoided (5 s).
	Quarantine time.Duration
	// MaxInFlightPerDyno bounds the requests one dyno has at a time, and those
	// that wait for one app to start (200): H11.
	MaxInFlightPerDyno int
	// Trusted are the proxies whose X-Forwarded-For, -Proto and -Port are
	// believed.
	Trusted renga.Proxies
	// RequestLog gets a record of each request; nil means nobody does.
	RequestLog RequestLog
	// TableComplete returns once every app has its route, or with an error when ctx
	// ends before. Until then an unknown host may yet become known. Nil means
	// that routes are complete from the start.
	TableComplete func(ctx context.Context) error
	// WakeUp is told of an app that sleeps and has a request. It must not block. Nil
	// means that no app sleeps.
	WakeUp func(app renga.AppID)
	// Log gets failed requests at level info, all others at debug.
	Log *slog.Logger
	// Now is the clock for logs, X-Request-Start and quarantine.
	Now func() time.Time
}

// Router is an http.Handler that passes requests on to the dynos of many apps.
// All methods may be called at once from several goroutines.
type Router struct {
	opt        Options
	requestLog RequestLog
	log        *slog.Logger
	stdLog     *log.Logger // for the standard library's own remarks
	answers    map[Code]answer
	buffers    httputil.BufferPool
	counts     *counters

	table atomic.Pointer[table]

	mu      sync.Mutex
	apps    map[renga.AppID]*app
	leaving []*target // out of the table, with requests in flight
}

// New makes a router without any route. It starts nothing.
func New(o Options) *Router {
	o = o.withDefaults()
	rt := &Router{
		opt:        o,
		requestLog: o.RequestLog,
		log:        o.Log,
		stdLog:     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		answers:    answers(),
		buffers:    newBufferPool(),
		apps:       map[renga.AppID]*app{},
	}
	rt.counts = newCounters(rt.answers)
	rt.table.Store(&table{})
	return rt
}

// ServeHTTP passes one request to a dyno of the app its Host names, or answers
// with an error page. It holds the request while the app starts.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(rt, w, r)
	defer x.end()
	x.serve()
}

func (o Options) withDefaults() Options {
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.FirstByteTimeout, 30*time.Second)
	setDefault(&o.IdleTimeout, 55*time.Second)
	setDefault(&o.StartTimeout, 75*time.Second)
	setDefault(&o.Quarantine, 5*time.Second)
	setDefault(&o.MaxInFlightPerDyno, 200)
	if o.RequestLog == nil {
		o.RequestLog = noRequestLog{}
	}
	if o.TableComplete == nil {
		o.TableComplete = func(context.Context) error { return nil }
	}
	if o.WakeUp == nil {
		o.WakeUp = func(renga.AppID) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func setDefault[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

type noRequestLog struct{}

func (noRequestLog) Request(Record) {}

// bufferPool lends the buffers that bodies are copied through.
type bufferPool struct{ pool sync.Pool }

const bufferBytes = 64 << 10

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new([bufferBytes]byte) }}}
}

// Get lends a buffer.
func (p *bufferPool) Get() []byte { return p.pool.Get().(*[bufferBytes]byte)[:] }

// Put takes one back that Get lent.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferBytes]byte)(b)) }
