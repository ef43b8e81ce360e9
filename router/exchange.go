package router

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"renga"
)

const (
	// maxTries bounds the connections tried for one request (Heroku's number).
	maxTries = 10
	// retryPause is the pause after every dyno was tried and none could be
	// reached, unless the route changes before. It bridges a dyno's restart.
	retryPause = 50 * time.Millisecond
	// tableTimeout is how long a request to an unknown host waits for the table
	// to become complete.
	tableTimeout = 10 * time.Second
)

// exchange is one request on its way and back. It is the transport under the
// standard library's reverse proxy: it chooses the dyno, and another one when
// the first cannot be reached.
type exchange struct {
	rt    *Router
	in    *http.Request
	host  string
	start time.Time
	fwd   forwarding
	reply reply
	body  upload

	app         *app
	target      *target // claimed, nil when none is
	tried       []*target
	tries       int
	connect     time.Duration
	dialing     time.Time
	answerBegan atomic.Bool // something of an answer came
	duplex      bool        // request and answer may overlap
	complete    bool        // the table was complete when the host was looked up
	done        bool        // the proxy has returned in good order
	code        Code
	cause       error
}

// failure is an error that has its code already.
type failure struct {
	code Code
	err  error
}

// Error is the code and the cause's text.
func (f *failure) Error() string {
	if f.err == nil {
		return string(f.code)
	}
	return string(f.code) + ": " + f.err.Error()
}

// Unwrap gives the cause.
func (f *failure) Unwrap() error { return f.err }

func newExchange(rt *Router, w http.ResponseWriter, in *http.Request) *exchange {
	x := &exchange{rt: rt, in: in, host: renga.Hostname(in.Host), start: rt.opt.Now()}
	x.fwd = newForwarding(in, rt.opt.Trusted, x.start)
	x.reply = reply{x: x, ResponseWriter: w, connection: w.Header()["Connection"]}
	rt.counts.inFlight.Add(1)
	return x
}

// serve claims a dyno and lets the proxy do the rest, or answers why not.
func (x *exchange) serve() {
	if x.in.Method == http.MethodConnect {
		x.fail(nil, nil, &failure{H26, nil}) // it is for forward proxies
		return
	}
	if err := requestBound(x.in); err != nil {
		x.fail(nil, nil, &failure{H26, err})
		return
	}
	if err := x.claim(); err != nil {
		x.fail(nil, nil, err)
		return
	}
	x.allowDuplex()
	allowOnlyWebSocket(x.in.Header)
	proxy := httputil.ReverseProxy{
		Rewrite:      x.rewrite,
		Transport:    x,
		ErrorHandler: x.fail,
		ErrorLog:     x.rt.stdLog,
		BufferPool:   x.rt.buffers,
	}
	proxy.ServeHTTP(&x.reply, x.in)
	x.done = true
}

// allowDuplex lets the answer begin before the request has ended, as on a direct
// connection. HTTP/2 does so anyway.
func (x *exchange) allowDuplex() {
	if x.in.ContentLength != 0 && x.in.ProtoMajor == 1 {
		x.duplex = http.NewResponseController(x.reply.ResponseWriter).EnableFullDuplex() == nil
	}
}

// closeBody reads what the dyno did not read of a body, up to net/http's limit
// for that, once the answer is on its way. Under full duplex the handler must
// do it: if the server reached the body's end after the handler, it would start
// to watch the connection while it reads the next request from it, and panic.
//
// In any case nobody may move the deadline from then on: a transport that still
// reads would move that of the next request, or of a stream that is gone, and
// panic.
func (x *exchange) closeBody() {
	defer x.body.end()
	if !x.duplex || !x.done || x.reply.hijacked != nil || x.body.ended() {
		return
	}
	_ = x.reply.FlushError() // a client that is gone is noticed by the server
	_ = x.in.Body.Close()    // likewise
}

// claim finds the app and takes a place on one of its dynos, waiting for an app
// that starts. Each try reads the table anew.
func (x *exchange) claim() error {
	for {
		x.app = x.rt.lookup(x.host)
		if x.misdirected() {
			return &failure{H31, nil}
		}
		switch code := x.app.idleCode(); code {
		case "":
		case NoSuchApp:
			if x.complete {
				return &failure{NoSuchApp, x.cause}
			}
			if err := x.awaitTable(); err != nil {
				return err
			}
			continue
		case H20:
			if err := x.awaitStart(); err != nil {
				return err
			}
			continue
		default:
			return &failure{code, x.cause}
		}
		now := x.rt.opt.Now()
		if held, err := x.awaitRoute(now); err != nil {
			return err
		} else if held {
			continue
		}
		t, v := x.app.claim(now, int64(x.rt.opt.MaxInFlightPerDyno), x.tried)
		switch v {
		case taken:
			x.target = t
			return nil
		case full:
			return &failure{H11, nil}
		case exhausted:
			x.tried = x.tried[:0]
			if err := x.wait(retryPause); err != nil {
				return err
			}
		case gone: // the table has changed
		}
	}
}

// misdirected tells whether the TLS connection was made for another app, with
// that app's certificate. Browsers try again over a new connection.
func (x *exchange) misdirected() bool {
	if x.in.TLS == nil || x.app == nil {
		return false
	}
	named := renga.Hostname(x.in.TLS.ServerName)
	if named == x.host {
		return false
	}
	other := x.rt.lookup(named)
	return other != nil && other.route.App != x.app.route.App
}

// awaitTable waits, when an unknown host is looked up first, until the table is
// complete, which it is not in the first moments after a start.
func (x *exchange) awaitTable() error {
	x.complete = true
	ctx, cancel := context.WithTimeout(x.in.Context(), tableTimeout)
	defer cancel()
	err := x.rt.opt.TableComplete(ctx)
	switch {
	case err == nil:
		return nil
	case x.in.Context().Err() != nil:
		return &failure{H27, err}
	}
	return &failure{H99, err}
}

// awaitStart waits until the app's route changes, up to the start timeout. An app
// that sleeps is woken.
func (x *exchange) awaitStart() error {
	x.app.wakeUp(x.rt.opt.WakeUp)
	left := x.rt.opt.StartTimeout - x.rt.opt.Now().Sub(x.start)
	if left <= 0 {
		return &failure{H20, nil}
	}
	waited, err := x.queue(left, x.rt.opt.MaxInFlightPerDyno)
	if err == nil && !waited {
		return &failure{H11, nil}
	}
	return err
}

// awaitRoute waits while the app's requests are held, and tells whether it did. As
// many may wait as its dynos could have; any more go on to the dynos that are there.
func (x *exchange) awaitRoute(now time.Time) (waited bool, err error) {
	left := x.app.held(now)
	if left <= 0 {
		return false, nil
	}
	return x.queue(left, x.rt.opt.MaxInFlightPerDyno*len(x.app.targets))
}

// queue waits as wait does, unless as many as limit wait already.
func (x *exchange) queue(d time.Duration, limit int) (waited bool, err error) {
	traffic := x.app.traffic
	defer traffic.waiting.Add(-1)
	if traffic.waiting.Add(1) > int64(limit) {
		return false, nil
	}
	return true, x.wait(d)
}

// wait returns when the app's route changes or d is over; with an error when
// the client disconnects. The server notices that only once it has read the
// request's body, or if there is none.
func (x *exchange) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-x.app.changed:
	case <-timer.C:
	case <-x.in.Context().Done():
		return &failure{H27, context.Cause(x.in.Context())}
	}
	return nil
}

// rewrite makes the dyno's request out of the client's.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	keepURL(pr)
	x.fwd.apply(pr.In, pr.Out)
	// Shared, not copied: its values arrive after the body, and are tidied there.
	pr.Out.Trailer = pr.In.Trailer
	removeLookalikes(pr.Out.Trailer)
	removeOurs(pr.Out.Trailer)
	if pr.Out.Body != nil {
		x.body.client, x.body.trailer = pr.Out.Body, pr.Out.Trailer
		x.body.deadline = newRollingDeadline(x.rt.opt.IdleTimeout)
		x.body.setDeadline = http.NewResponseController(x.reply.ResponseWriter).SetReadDeadline
		pr.Out.Body = &x.body
	}
}

// RoundTrip sends the request to the claimed dyno, or to the next one as long
// as no connection could be made.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	x.watch(out.Context())
	for {
		res, err := x.send(out)
		if err == nil {
			return x.received(res)
		}
		var refused *dialError
		if !errors.As(err, &refused) {
			return nil, err
		}
		if err := x.claimNext(refused); err != nil {
			return nil, err
		}
	}
}

// received takes a dyno's answer. It does not pass on one that exceeds a limit.
func (x *exchange) received(res *http.Response) (*http.Response, error) {
	if err := answerBound(res.Header); err != nil {
		return nil, errors.Join(&failure{H25, err}, res.Body.Close())
	}
	x.reply.prepare(res)
	return res, nil
}

func (x *exchange) send(out *http.Request) (*http.Response, error) {
	out.URL.Scheme, out.URL.Host = "http", x.target.Addr
	x.dialing = x.rt.opt.Now()
	if repeatable(out) {
		return x.target.pool.RoundTrip(out)
	}
	return x.target.own.RoundTrip(out)
}

// repeatable tells whether the transport would send the request once more when a
// kept connection turns out to be closed; net/http's Transport documents these.
func repeatable(out *http.Request) bool {
	if out.Body != nil {
		return false
	}
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// claimNext claims a dyno after the claimed one could not be reached.
func (x *exchange) claimNext(err *dialError) error {
	refused := x.target
	refused.quarantine(x.rt.opt.Now().Add(x.rt.opt.Quarantine))
	x.tried = append(x.tried, refused)
	refused.unclaim()
	x.target = nil
	x.cause = err
	if x.tries++; x.tries >= maxTries || x.rt.opt.Now().Sub(x.start) > x.rt.opt.StartTimeout {
		return &failure{err.code(), err}
	}
	if err := x.claim(); err != nil {
		return err
	}
	if slices.Contains(x.app.canary, refused) {
		refused.count(http.StatusServiceUnavailable) // it is judged, though another dyno helps out
	}
	return nil
}

// watch adds hooks to the trace that the proxy makes for each request: adding a
// second trace would merge the two by reflection.
func (x *exchange) watch(ctx context.Context) {
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil {
		return
	}
	trace.GotConn = func(info httptrace.GotConnInfo) {
		x.connect = 0
		if !info.Reused {
			x.connect = x.rt.opt.Now().Sub(x.dialing)
		}
	}
	x.watchInterim(trace)
	trace.GotFirstResponseByte = func() { x.answerBegan.Store(true) }
}

// fail answers with the page for err, or closes the connection if an answer has
// begun. Its signature is the proxy's.
func (x *exchange) fail(_ http.ResponseWriter, _ *http.Request, err error) {
	x.code, x.cause = x.diagnose(err), err
	a := x.app.framePage(x.rt.answers[x.code], x.code)
	if a.page == nil || x.reply.hijacked != nil {
		panic(http.ErrAbortHandler)
	}
	if err := a.write(&x.reply, x.code); err != nil {
		panic(http.ErrAbortHandler)
	}
	x.done = true
}

// diagnose finds the code for an error before the answer's headers.
func (x *exchange) diagnose(err error) Code {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.code
	case x.body.code() != "":
		return x.body.code()
	case x.in.Context().Err() != nil:
		return H27
	case errors.Is(err, os.ErrDeadlineExceeded):
		return H15
	case isTimeout(err):
		return H12
	case x.answerBegan.Load():
		return H17
	}
	return H13
}
