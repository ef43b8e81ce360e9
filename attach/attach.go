// Package attach speaks with the clients of attached one-off dynos: in the
// rendezvous protocol of Heroku's CLI over a bare TLS connection, and over
// WebSocket for everybody else. Over SSH it lets people into running dynos.
//
// A [Desk] holds each dyno that waits, under a secret that is in the client's
// URL and good for one client. The dyno starts when that client comes and ends
// when it goes; nobody who comes too late, and nothing of a client that was
// killed, is left. Nor is a client that may be there no more.
package attach

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"renga"
)

// Session is a dyno that waits for its client.
type Session interface {
	// Begin starts the dyno. A sentence for the client is in its error.
	Begin(ctx context.Context) (Stream, error)
	// Close ends the dyno, if it has not ended, and leaves nothing of it. Why is
	// what the talk ended with: [ErrAbsent], [ErrIdle], [ErrBarred], or something
	// else that is no news.
	Close(ctx context.Context, why error) error
}

// Stream is a dyno's input and output. Reading ends with io.EOF when the dyno
// has ended.
type Stream interface {
	io.ReadWriter
	// CloseWrite ends the dyno's input.
	CloseWrite() error
	// Resize tells a terminal its new size.
	Resize(ctx context.Context, w renga.Window) error
	// Wait waits for the end, and gives the exit code.
	Wait(ctx context.Context) (code int, err error)
}

// Options are a Desk's settings. Every zero value has a default.
type Options struct {
	// WaitTimeout is how long a dyno waits for its client; 60s.
	WaitTimeout time.Duration
	// Idle is how long neither side may be silent; 1h.
	Idle time.Duration
	// CheckEvery is how often is asked whether a client may be there still; 5s.
	CheckEvery time.Duration
	// Spool is the folder for files on their way to a client; os.TempDir.
	Spool string
	// CheckSpace tells why so many bytes are too many for it; nil when none are.
	CheckSpace func(bytes int64) error
	Log        *slog.Logger
}

// AttachedDyno is a dyno that is offered to its client.
type AttachedDyno struct {
	Session
	App, Dyno string // names, for the log
	// Terminal says that the dyno has one: then the client's bytes are its own
	// affair.
	Terminal bool
	// Marked says that the client wants to be told the exit code in the output.
	Marked bool
	// Still tells, when the client comes and while it is there, why it may be so
	// no more; nil when it may.
	Still StillAllowed
}

// StillAllowed tells why somebody may be there no more: a renga.Error of a kind that
// refuses. Other errors say that this is not known. Nil is for whom nobody can
// send away.
type StillAllowed func(ctx context.Context) error

func (s StillAllowed) check(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s(ctx)
}

// refuses tells whether an error of a Still ends a visit.
func refuses(err error) bool {
	switch renga.KindOf(err) {
	case renga.Unauthorized, renga.Forbidden, renga.NotFound:
		return true
	}
	return false
}

// Server brings dynos and clients together. Its methods may be called at once
// from several goroutines.
type Server struct {
	Options

	ctx    context.Context // ends all talks
	end    context.CancelCauseFunc
	relays sync.WaitGroup // claimed and not closed

	mu      sync.Mutex
	waiting map[string]waiting // by secret

	tickets *tickets
	spools  chan struct{} // one for each file in the spool
}

type waiting struct {
	AttachedDyno
	timer *time.Timer // ends the waiting
}

// New makes a Desk.
func New(o Options) *Server {
	if o.WaitTimeout <= 0 {
		o.WaitTimeout = time.Minute
	}
	if o.Idle <= 0 {
		o.Idle = time.Hour
	}
	if o.CheckEvery <= 0 {
		o.CheckEvery = 5 * time.Second
	}
	if o.CheckSpace == nil {
		o.CheckSpace = func(int64) error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Server{Options: o, waiting: map[string]waiting{}, tickets: newTickets(), spools: make(chan struct{}, maxSpooled)}
	d.ctx, d.end = context.WithCancelCause(context.Background())
	return d
}

// What a talk may end with.
var (
	// ErrAbsent says that no client came.
	ErrAbsent = errors.New("no client came in time")
	// ErrIdle says that neither side spoke.
	ErrIdle = errors.New("nothing was said for too long")
	// ErrForbidden says that the client may be there no more.
	ErrForbidden = errors.New("the right to be there has ended")
	errEnding    = errors.New("the platform ends")
)

// Run waits until ctx ends, and then ends all talks and dynos that wait.
func (d *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	left := slices.Collect(maps.Keys(d.waiting))
	d.mu.Unlock()
	d.end(errEnding)
	for _, secret := range left {
		d.drop(secret, errEnding)
	}
	d.relays.Wait()
	return nil
}

// secretBytes is how many random bytes a secret has.
const secretBytes = 32

// Offer has a dyno wait for whoever knows the secret. The desk sees to its end.
func (d *Server) Offer(a AttachedDyno) (secret string) {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails
	secret = hex.EncodeToString(b)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[secret] = waiting{a, time.AfterFunc(d.WaitTimeout, func() {
		if a, ok := d.drop(secret, ErrAbsent); ok {
			d.Log.Info("dyno's client did not come (R13)", "app", a.App, "dyno", a.Dyno)
		}
	})}
	return secret
}

// drop ends a dyno that waits.
func (d *Server) drop(secret string, why error) (AttachedDyno, bool) {
	a, ok := d.claim(secret)
	if ok {
		d.close(context.Background(), a, why)
	}
	return a, ok
}

// awaits tells whether a dyno waits for that secret.
func (d *Server) awaits(secret string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.waiting[secret]
	return ok
}

// claim takes the dyno of a secret, which is good for nobody else then. Whoever
// claims one must close it.
func (d *Server) claim(secret string) (AttachedDyno, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.waiting[secret]
	if ok {
		w.timer.Stop()
		delete(d.waiting, secret)
		d.relays.Add(1)
	}
	return w.AttachedDyno, ok
}

func (d *Server) close(ctx context.Context, a AttachedDyno, why error) {
	defer d.relays.Done()
	if err := a.Close(ctx, why); err != nil {
		d.Log.Warn("attached dyno does not end", "app", a.App, "dyno", a.Dyno, "err", err)
	}
}

// client is one client's side of a talk, whatever it is spoken over.
type client interface {
	// Pass hands all of the client's input to the dyno, and returns when the
	// client is gone.
	Pass(ctx context.Context, to Stream) error
	// Write sends output.
	io.Writer
	// End says how the dyno ended.
	End(code int) error
}

// relay brings a dyno and its client together until one of them goes. Whatever
// happens, nothing of the dyno is left.
func (d *Server) relay(a AttachedDyno, w client, timer *idleTimer) (err error) {
	ctx, cancel := context.WithCancelCause(d.ctx)
	defer cancel(nil)
	defer func() { d.close(ctx, a, err) }()
	if err := a.Still.check(ctx); err != nil {
		return errors.Join(ErrForbidden, d.tellFailure(a, w, err))
	}
	stream, err := a.Begin(ctx)
	if err != nil {
		return d.tellFailure(a, w, err)
	}
	go d.watchPermission(ctx, a.Still, func(error) { cancel(ErrForbidden) }) // ends with the talk
	stop := timer.start(d.Idle, func() { cancel(ErrIdle) })
	defer stop()
	go func() { // ends with the client, which our end cuts off
		cancel(gone{w.Pass(ctx, stream)})
	}()
	ended := make(chan error, 1)
	go func() { // ends with the dyno, which our end ends
		_, err := io.CopyBuffer(writer{w}, reader{stream}, make([]byte, 32<<10))
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err = <-ended:
	}
	if err != nil {
		return err
	}
	code, err := stream.Wait(ctx)
	if err != nil {
		return err
	}
	return w.End(code)
}

// watchPermission asks again and again whether a client may be there still, until ctx ends
// or barred is called with the reason why it may not. A question that nobody can
// answer ends nothing.
func (d *Server) watchPermission(ctx context.Context, still StillAllowed, forbid func(why error)) {
	tick := time.NewTicker(d.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := still.check(ctx); refuses(err) {
			forbid(err)
			return
		}
	}
}

// tellFailure tells the client why its dyno did not start.
func (d *Server) tellFailure(a AttachedDyno, w client, cause error) error {
	const failed = 126 // as a shell that cannot run a command
	d.Log.Warn("attached dyno does not start", "app", a.App, "dyno", a.Dyno, "err", cause)
	_, err := io.WriteString(w, renga.MessageOf(cause, "The dyno could not be started for a reason that is in Renga's log.")+"\r\n")
	return errors.Join(err, w.End(failed))
}

// gone says that the client went away.
type gone struct{ cause error }

func (a gone) Error() string {
	if a.cause == nil {
		return "the client hung up"
	}
	return "the client went away: " + a.cause.Error()
}

// reader and writer hide all other abilities from io.Copy.
type (
	reader struct{ io.Reader }
	writer struct{ io.Writer }
)

// idleTimer notes when something was said last.
type idleTimer struct {
	mu   sync.Mutex
	last time.Time
}

func (t *idleTimer) touch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
}

// start calls idle, once, when nothing was said for so long.
func (t *idleTimer) start(limit time.Duration, idle func()) (stop func()) {
	t.touch()
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(limit, func() {
		<-ready
		t.mu.Lock()
		left := limit - time.Since(t.last)
		t.mu.Unlock()
		if left <= 0 {
			idle()
			return
		}
		timer.Reset(left)
	})
	close(ready)
	return func() { timer.Stop() }
}
