package router

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"renga"
)

// Record is what became of one request.
type Record struct {
	App       renga.AppID // empty when there is no such app
	AppName   string
	Method    string
	Host      string
	Path      string // with the query, as the client sent it
	RequestID string
	Forwarded string // whom it comes from: X-Forwarded-For, or what a trusted proxy said
	Dyno      string // web.1; empty when none was reached
	Protocol  string // HTTP/1.1
	TLS       bool   // between the client and us, or the trusted proxy
	Status    int    // as Heroku counts it: 503 or 499 for an answer broken off
	Bytes     int64  // of the answer's body
	Connect   time.Duration
	Service   time.Duration // all of the time from the request to the answer's end
	Code      Code          // empty when all went well
	Desc      string        // Heroku's words for Code
	Err       error         // the cause, for the platform's own log; may be nil
}

// end gives back what the request held, and records what became of it. It runs
// even during the panic of a broken answer.
func (x *exchange) end() {
	if !x.done && x.code == "" {
		x.code, x.cause = x.reply.broken(), x.reply.dyno
	}
	x.reply.reset()
	record := x.record()
	x.app.noteRequest(x.start.Add(record.Service), x.code)
	if t := x.asked(); t != nil {
		t.count(record.Status)
	}
	if x.target != nil {
		x.target.unclaim()
	}
	x.rt.counts.add(record)
	x.rt.requestLog.Request(record)
	x.log(record)
	x.closeBody()
}

func (x *exchange) record() Record {
	r := Record{
		Method: x.in.Method, Host: x.in.Host, Path: x.in.RequestURI, Protocol: x.in.Proto, TLS: x.fwd.proto == "https",
		RequestID: x.fwd.requestID, Forwarded: x.fwd.client,
		Status: x.reply.status, Bytes: x.reply.bytes, Connect: x.connect,
		Service: x.rt.opt.Now().Sub(x.start), Code: x.code,
	}
	if x.app != nil {
		r.App, r.AppName = x.app.route.App, x.app.route.Name
	}
	if t := x.asked(); t != nil {
		r.Dyno = t.Dyno
	}
	if x.code != "" {
		a := x.rt.answers[x.code]
		r.Status, r.Desc, r.Err = a.status, a.desc, x.cause
	}
	return r
}

// asked is the dyno that was asked last; nil when none was.
func (x *exchange) asked() *target {
	if n := len(x.tried); x.target == nil && n > 0 {
		return x.tried[n-1]
	}
	return x.target
}

// log leaves the query out: people put secrets there.
func (x *exchange) log(r Record) {
	level := slog.LevelDebug
	if r.Code != "" {
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !x.rt.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("app", r.AppName), slog.String("dyno", r.Dyno), slog.String("method", r.Method),
		slog.String("host", r.Host), slog.String("path", x.in.URL.Path), slog.Int("status", r.Status),
		slog.Int64("bytes", r.Bytes), slog.Duration("connect", r.Connect), slog.Duration("service", r.Service),
		slog.String("request_id", r.RequestID),
	}
	if r.Code != "" {
		attrs = append(attrs, slog.String("code", string(r.Code)), slog.String("desc", r.Desc), slog.Any("err", r.Err))
	}
	x.rt.log.LogAttrs(ctx, level, "request answered", attrs...)
}

// Stats are the router's counts since it was made, for metrics.
type Stats struct {
	Requests  uint64          // finished ones
	InFlight  int64           // now, upgraded connections and waiting ones included
	Apps      int             // with a route
	Hosts     int             // in the table
	ByClass   map[int]uint64  // answers by the hundreds of their status: 2, 3, 4, 5
	ByFailure map[Code]uint64 // every code is there, with 0 too
}

// Stats reads the counts. They are not of one instant.
func (rt *Router) Stats() Stats {
	rt.mu.Lock()
	apps := len(rt.apps)
	rt.mu.Unlock()
	s := Stats{
		InFlight: rt.counts.inFlight.Load(), Apps: apps, Hosts: len(rt.table.Load().hosts),
		ByClass: map[int]uint64{}, ByFailure: map[Code]uint64{},
	}
	for class := range rt.counts.classes {
		if n := rt.counts.classes[class].Load(); n > 0 {
			s.ByClass[class] = n
			s.Requests += n
		}
	}
	for code, n := range rt.counts.failures {
		s.ByFailure[code] = n.Load()
	}
	return s
}

type counters struct {
	inFlight atomic.Int64
	classes  [6]atomic.Uint64
	failures map[Code]*atomic.Uint64 // never changes but for the counts
}

func newCounters(codes map[Code]answer) *counters {
	c := &counters{failures: make(map[Code]*atomic.Uint64, len(codes))}
	for code := range codes {
		c.failures[code] = new(atomic.Uint64)
	}
	return c
}

func (c *counters) add(r Record) {
	c.inFlight.Add(-1)
	if class := r.Status / 100; class < len(c.classes) {
		c.classes[class].Add(1)
	} else {
		c.classes[0].Add(1) // no status at all, or one that HTTP does not have
	}
	if r.Code != "" {
		c.failures[r.Code].Add(1)
	}
}

// Limits sets what a server in front of the router should bound: headers must
// come within 30 s and be 64 KiB at most in all, and a kept connection may be
// idle for 90 s. Bodies and answers may take any time as long as bytes move, so
// there is neither a read nor a write timeout.
func Limits(s *http.Server) {
	s.ReadHeaderTimeout = 30 * time.Second
	s.IdleTimeout = 90 * time.Second
	s.MaxHeaderBytes = 64 << 10
	s.ReadTimeout, s.WriteTimeout = 0, 0
}
