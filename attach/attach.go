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
	// Patience is how long a dyno waits for its client; 60s.
	Patience time.Duration
	// Idle is how long neither side may be silent; 1h.
	Idle time.Duration
	// Look is how often is asked whether a client may be there still; 5s.
	Look time.Duration
	// Spool is the folder for files on their way to a client; os.TempDir.
	Spool string
	// Room tells why so many bytes are too many for it; nil when none are.
	Room func(bytes int64) error
	Log  *slog.Logger
}

// Guest is a dyno that is offered to its client.
type Guest struct {
	Session
	App, Dyno string // names, for the log
	// Terminal says that the dyno has one: then the client's bytes are its own
	// affair.
	Terminal bool
	// Marked says that the client wants to be told the exit code in the output.
	Marked bool
	// Still tells, when the client comes and while it is there, why it may be so
	// no more; nil when it may.
	Still Still
}

// Still tells why somebody may be there no more: a renga.Error of a kind that
// refuses. Other errors say that this is not known. Nil is for whom nobody can
// send away.
type Still func(ctx context.Context) error

func (s Still) ask(ctx context.Context) error {
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

// Desk brings dynos and clients together. Its methods may be called at once
// from several goroutines.
type Desk struct {
	Options

	ctx   context.Context // ends all talks
	end   context.CancelCauseFunc
	talks sync.WaitGroup // claimed and not closed

	mu      sync.Mutex
	waiting map[string]waiting // by secret

	tickets *tickets
	spools  chan struct{} // one for each file in the spool
}

type waiting struct {
	Guest
	timer *time.Timer // ends the waiting
}

// New makes a Desk.
func New(o Options) *Desk {
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	if o.Idle <= 0 {
		o.Idle = time.Hour
	}
	if o.Look <= 0 {
		o.Look = 5 * time.Second
	}
	if o.Room == nil {
		o.Room = func(int64) error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{Options: o, waiting: map[string]waiting{}, tickets: newTickets(), spools: make(chan struct{}, maxSpooled)}
	d.ctx, d.end = context.WithCancelCause(context.Background())
	return d
}

// What a talk may end with.
var (
	// ErrAbsent says that no client came.
	ErrAbsent = errors.New("no client came in time")
	// ErrIdle says that neither side spoke.
	ErrIdle = errors.New("nothing was said for too long")
	// ErrBarred says that the client may be there no more.
	ErrBarred = errors.New("the right to be there has ended")
	errEnding = errors.New("the platform ends")
)

// Run waits until ctx ends, and then ends all talks and dynos that wait.
func (d *Desk) Run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	left := slices.Collect(maps.Keys(d.waiting))
	d.mu.Unlock()
	d.end(errEnding)
	for _, secret := range left {
		d.dismiss(secret, errEnding)
	}
	d.talks.Wait()
	return nil
}

// secretBytes is how many random bytes a secret has.
const secretBytes = 32

// Offer has a dyno wait for whoever knows the secret. The desk sees to its end.
func (d *Desk) Offer(g Guest) (secret string) {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails
	secret = hex.EncodeToString(b)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[secret] = waiting{g, time.AfterFunc(d.Patience, func() {
		if g, ok := d.dismiss(secret, ErrAbsent); ok {
			d.Log.Info("dyno's client did not come (R13)", "app", g.App, "dyno", g.Dyno)
		}
	})}
	return secret
}

// dismiss ends a dyno that waits.
func (d *Desk) dismiss(secret string, why error) (Guest, bool) {
	g, ok := d.claim(secret)
	if ok {
		d.close(context.Background(), g, why)
	}
	return g, ok
}

// awaits tells whether a dyno waits for that secret.
func (d *Desk) awaits(secret string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.waiting[secret]
	return ok
}

// claim takes the dyno of a secret, which is good for nobody else then. Whoever
// claims one must close it.
func (d *Desk) claim(secret string) (Guest, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.waiting[secret]
	if ok {
		w.timer.Stop()
		delete(d.waiting, secret)
		d.talks.Add(1)
	}
	return w.Guest, ok
}

func (d *Desk) close(ctx context.Context, g Guest, why error) {
	defer d.talks.Done()
	if err := g.Close(ctx, why); err != nil {
		d.Log.Warn("attached dyno does not end", "app", g.App, "dyno", g.Dyno, "err", err)
	}
}

// wire is one client's side of a talk, whatever it is spoken over.
type wire interface {
	// Pass hands all of the client's input to the dyno, and returns when the
	// client is gone.
	Pass(ctx context.Context, to Stream) error
	// Write sends output.
	io.Writer
	// End says how the dyno ended.
	End(code int) error
}

// talk brings a dyno and its client together until one of them goes. Whatever
// happens, nothing of the dyno is left.
func (d *Desk) talk(g Guest, w wire, alive *pulse) (err error) {
	ctx, cancel := context.WithCancelCause(d.ctx)
	defer cancel(nil)
	defer func() { d.close(ctx, g, err) }()
	if err := g.Still.ask(ctx); err != nil {
		return errors.Join(ErrBarred, d.excuse(g, w, err))
	}
	stream, err := g.Begin(ctx)
	if err != nil {
		return d.excuse(g, w, err)
	}
	go d.watch(ctx, g.Still, func(error) { cancel(ErrBarred) }) // ends with the talk
	stop := alive.watch(d.Idle, func() { cancel(ErrIdle) })
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

// watch asks again and again whether a client may be there still, until ctx ends
// or barred is called with the reason why it may not. A question that nobody can
// answer ends nothing.
func (d *Desk) watch(ctx context.Context, still Still, barred func(why error)) {
	look := time.NewTicker(d.Look)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if err := still.ask(ctx); refuses(err) {
			barred(err)
			return
		}
	}
}

// excuse tells the client why its dyno did not start.
func (d *Desk) excuse(g Guest, w wire, cause error) error {
	const failed = 126 // as a shell that cannot run a command
	d.Log.Warn("attached dyno does not start", "app", g.App, "dyno", g.Dyno, "err", cause)
	_, err := io.WriteString(w, renga.MessageOf(cause, "The dyno could not be started for a reason that is in Renga's log.")+"\r\n")
	return errors.Join(err, w.End(failed))
}

// gone says that the client went away.
type gone struct{ cause error }

func (g gone) Error() string {
	if g.cause == nil {
		return "the client hung up"
	}
	return "the client went away: " + g.cause.Error()
}

// reader and writer hide all other abilities from io.Copy.
type (
	reader struct{ io.Reader }
	writer struct{ io.Writer }
)

// pulse notes when something was said last.
type pulse struct {
	mu   sync.Mutex
	last time.Time
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
}

// watch calls idle, once, when nothing was said for so long.
func (p *pulse) watch(limit time.Duration, idle func()) (stop func()) {
	p.beat()
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(limit, func() {
		<-ready
		p.mu.Lock()
		left := limit - time.Since(p.last)
		p.mu.Unlock()
		if left <= 0 {
			idle()
			return
		}
		timer.Reset(left)
	})
	close(ready)
	return func() { timer.Stop() }
}
