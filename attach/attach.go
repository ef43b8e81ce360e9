// Package attach connects clients to dynos: to attached one-off dynos by the
// rendezvous protocol of Heroku's CLI, over a bare TLS connection, and by
// WebSocket; to running dynos by SSH.
//
// A [Server] keeps each dyno that waits for its client under a secret, which is in
// the client's URL and good for one client. The dyno starts when that client
// connects and ends when it disconnects. A client that is too late, was killed, or
// has lost its permission leaves nothing behind.
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
	// Begin starts the dyno. Its error holds a sentence for the client.
	Begin(ctx context.Context) (Stream, error)
	// Close ends the dyno, if it has not ended, and removes all of it. Why is what
	// the relay ended with: [ErrAbsent], [ErrIdle], [ErrForbidden], or something
	// else that nobody needs to hear of.
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

// Options are a Server's settings. Every zero value has a default.
type Options struct {
	// WaitTimeout is how long a dyno waits for its client; 60s.
	WaitTimeout time.Duration
	// Idle is how long both sides may be silent; 1h.
	Idle time.Duration
	// CheckEvery is how often a client's permission is checked; 5s.
	CheckEvery time.Duration
	// Spool is the folder for copies of files on their way to a client; os.TempDir.
	Spool string
	// CheckSpace is an error when the spool has no room for so many bytes.
	CheckSpace func(bytes int64) error
	Log        *slog.Logger
}

// AttachedDyno is a dyno that waits for its client, or has it.
type AttachedDyno struct {
	Session
	App, Dyno string // names, for the log
	// Terminal says that the dyno has a terminal: then the client's bytes are
	// passed on as they are.
	Terminal bool
	// Marked says that the output is to end with the exit code.
	Marked bool
	// Still is checked when the client connects, and as long as it stays.
	Still StillAllowed
}

// StillAllowed is nil while a client may be connected, and a renga.Error of a kind
// that refuses once it may not. Other errors say that this is not known. A nil
// StillAllowed allows always.
type StillAllowed func(ctx context.Context) error

func (s StillAllowed) check(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s(ctx)
}

// refuses tells whether an error of a StillAllowed ends the client's connection.
func refuses(err error) bool {
	switch renga.KindOf(err) {
	case renga.Unauthorized, renga.Forbidden, renga.NotFound:
		return true
	}
	return false
}

// Server connects clients to dynos. Its methods may be called at once from several
// goroutines.
type Server struct {
	Options

	ending chan struct{}  // closed when Run ends all relays
	relays sync.WaitGroup // claimed and not closed

	mu      sync.Mutex
	waiting map[string]waiting // by secret

	tickets  *tickets
	services *openServices
	spools   chan struct{} // one for each file in the spool
}

type waiting struct {
	AttachedDyno
	timer *time.Timer // ends the waiting
}

// New makes a Server.
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
	return &Server{
		Options:  o,
		ending:   make(chan struct{}),
		waiting:  map[string]waiting{},
		tickets:  newTickets(),
		services: newOpenServices(),
		spools:   make(chan struct{}, maxSpooled),
	}
}

// What a relay may end with.
var (
	// ErrAbsent says that no client came.
	ErrAbsent = errors.New("no client came in time")
	// ErrIdle says that neither side sent anything.
	ErrIdle = errors.New("nothing was sent for too long")
	// ErrForbidden says that the client has lost its permission.
	ErrForbidden = errors.New("the client's permission has ended")
	errEnding    = errors.New("the platform ends")
)

// Run waits until ctx ends, and then ends all relays and all waiting dynos.
func (d *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	left := slices.Collect(maps.Keys(d.waiting))
	d.mu.Unlock()
	close(d.ending)
	for _, secret := range left {
		d.drop(secret, errEnding)
	}
	d.relays.Wait()
	return nil
}

// connected gives a context for one client's connection, which must be canceled when
// the connection ends. The end of Run cancels it with errEnding.
func (d *Server) connected() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	select {
	case <-d.ending:
		cancel(errEnding)
		return ctx, cancel
	default:
	}
	go func() { // ends with the connection
		select {
		case <-d.ending:
			cancel(errEnding)
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// secretBytes is how many random bytes a secret has.
const secretBytes = 32

// Offer has a dyno wait for the client that knows the secret. The server closes the
// dyno in the end.
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

// drop ends a waiting dyno.
func (d *Server) drop(secret string, why error) (AttachedDyno, bool) {
	a, ok := d.claim(secret)
	if ok {
		d.close(context.Background(), a, why)
	}
	return a, ok
}

// awaits tells whether a dyno waits under that secret.
func (d *Server) awaits(secret string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.waiting[secret]
	return ok
}

// claim takes the dyno of a secret, which is good for no other client then. The
// caller must close the dyno.
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

// client is the client's side of a relay, whatever its protocol.
type client interface {
	// Pass copies the client's input to the dyno, and returns when the client is
	// gone.
	Pass(ctx context.Context, to Stream) error
	// Send sends output.
	Send(ctx context.Context, output []byte) (int, error)
	// End tells the client the dyno's exit code.
	End(ctx context.Context, code int) error
}

// relay starts a dyno and copies between it and its client until one of them ends.
// Then it closes the dyno, whatever happened.
func (d *Server) relay(ctx context.Context, a AttachedDyno, c client, timer *idleTimer) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() { d.close(ctx, a, err) }()
	if err := a.Still.check(ctx); err != nil {
		return errors.Join(ErrForbidden, d.tellFailure(ctx, a, c, err))
	}
	stream, err := a.Begin(ctx)
	if err != nil {
		return d.tellFailure(ctx, a, c, err)
	}
	go d.watchPermission(ctx, a.Still, func(error) { cancel(ErrForbidden) }) // ends with the relay
	stop := timer.start(d.Idle, func() { cancel(ErrIdle) })
	defer stop()
	go func() { // ends with the client, which is cut off when we return
		cancel(gone{c.Pass(ctx, stream)})
	}()
	ended := make(chan error, 1)
	go func() { // ends with the dyno, which is closed when we return
		output := writerFunc(func(p []byte) (int, error) { return c.Send(ctx, p) })
		_, err := io.CopyBuffer(output, reader{stream}, make([]byte, 32<<10))
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
	return c.End(ctx, code)
}

// watchPermission checks a client's permission again and again until ctx ends. It
// calls forbid, once, with the reason why the permission has ended. A check that
// fails otherwise ends nothing.
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
func (d *Server) tellFailure(ctx context.Context, a AttachedDyno, c client, cause error) error {
	const failed = 126 // as a shell that cannot run a command
	d.Log.Warn("attached dyno does not start", "app", a.App, "dyno", a.Dyno, "err", cause)
	text := renga.MessageOf(cause, "The dyno could not be started for a reason that is in Renga's log.")
	_, err := c.Send(ctx, []byte(text+"\r\n"))
	return errors.Join(err, c.End(ctx, failed))
}

// gone is an error for a client that disconnected.
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

// writerFunc writes by a function.
type writerFunc func(p []byte) (int, error)

// Write calls the function.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// idleTimer notes when a byte was last sent.
type idleTimer struct {
	mu   sync.Mutex
	last time.Time
}

func (t *idleTimer) touch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
}

// start has idle called, once, when no byte was sent for so long.
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
