package runtime

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
)

// Store is where the manager reads what is wanted and writes what is.
type Store interface {
	// Desired is all that the manager must know of an app. NotFound means that
	// the app is gone, and its dynos are to go; Unavailable that the store is
	// away, and nothing is to be stopped.
	Desired(ctx context.Context, app renga.AppID) (renga.Desired, error)
	// AppIDs lists every app.
	AppIDs(ctx context.Context) ([]renga.AppID, error)
	// SaveDynos replaces the records of an app's dynos.
	SaveDynos(ctx context.Context, app renga.AppID, ds []renga.Dyno) error
	// SetOutcome says what became of a release. One that succeeded is Live from
	// then on. Setting the same outcome twice is no error.
	SetOutcome(ctx context.Context, app renga.AppID, version int, o renga.Outcome) error
	// SetAsleep says since when an app sleeps; zero for awake.
	SetAsleep(ctx context.Context, app renga.AppID, since time.Time) error
}

// Releases opens releases. It is asked only when a dyno is started, for the
// environment, which nothing else here may hold.
type Releases interface {
	Release(ctx context.Context, app renga.App, digest string) (renga.Release, error)
}

// Router hands requests to web dynos.
type Router interface {
	// Route replaces an app's route at once; one without hosts removes it.
	Route(r renga.Route)
	// Hold has the app's new requests wait for its next Route, not for long.
	Hold(app renga.AppID)
	// Drain returns when the target, a [renga.Target.ID], has no requests in
	// flight, or ctx ends. It returns at once for a target it does not know.
	Drain(ctx context.Context, app renga.AppID, target string) error
	// Tally counts what became of the target's requests.
	Tally(app renga.AppID, target string) renga.Tally
	// LastRequest is when a request to the app ended last: now while one is under
	// way or waits, zero when none came yet.
	LastRequest(app renga.AppID) time.Time
}

// Outputs keeps what release commands print.
type Outputs interface {
	// Record begins the output of a release's command anew.
	Record(app renga.AppID, version int) (io.WriteCloser, error)
	// Forget removes all of an app's.
	Forget(app renga.AppID) error
}

// Ends is told how dynos ended that schedules had started.
type Ends interface {
	// RunEnded is told once or more; an error has it told again, and the dyno kept
	// until then.
	RunEnded(ctx context.Context, d renga.Dyno) error
}

// writtenWithin bounds the wait until something is written down.
const writtenWithin = 2 * time.Second

// How much is done at once, over all apps.
const (
	maxStarts = 8
	maxLooks  = 16
)

// Manager makes what runs match what is wanted, for all apps.
type Manager struct {
	opts   Options
	db     Store
	ledger Releases
	engine engine.Engine
	rt     Router
	log    *slog.Logger

	startSlots, lookSlots    chan struct{} // as many as may be under way
	signal                   chan struct{} // somebody is in queued
	settled                  chan struct{} // closed by the first look at the last app
	stats                    *counters
	oneOffs                  reservations
	shellless                digests // images that have no shell
	apps                     knownApps
	toldOfMemory, toldOfDisk throttle // instances whose app was told that they lack memory, disk

	mu       sync.Mutex
	queued   map[renga.AppID]bool          // to be looked at
	known    map[renga.AppID]bool          // have a worker; true once it had a look
	found    bool                          // all apps are known
	awaited  map[renga.AppID]bool          // had no look yet, of all there were when found
	wakingUp map[renga.AppID]bool          // sleep, and somebody asks for them
	looks    map[renga.AppID]chan struct{} // the next one, where somebody waits for its end
}

// New makes a manager, which does nothing before Run.
func New(o Options, db Store, led Releases, e engine.Engine, rt Router) *Manager {
	o = o.orDefaults()
	return &Manager{
		opts: o, db: db, ledger: led, engine: e, rt: rt, log: o.Log,
		startSlots: make(chan struct{}, maxStarts), lookSlots: make(chan struct{}, maxLooks),
		signal: make(chan struct{}, 1), settled: make(chan struct{}),
		stats: newCounters(), oneOffs: reservations{byDyno: map[string]reservation{}},
		queued: map[renga.AppID]bool{}, known: map[renga.AppID]bool{}, awaited: map[renga.AppID]bool{}, wakingUp: map[renga.AppID]bool{},
		looks: map[renga.AppID]chan struct{}{},
	}
}

// Reconcile has an app looked at soon. It never blocks; before Run it is remembered.
// However often it is called during one look, one more look follows.
func (m *Manager) Reconcile(app renga.AppID) {
	m.mu.Lock()
	m.queued[app] = true
	m.mu.Unlock()
	notify(m.signal)
}

// written waits until a look that begins from now on is over, so that what there
// is now is written down. There is no more to gain by it than that others find it
// at once: a look that takes long is not waited for.
func (m *Manager) written(ctx context.Context, app renga.AppID) {
	ctx, cancel := context.WithTimeout(ctx, writtenWithin)
	defer cancel()
	m.mu.Lock()
	look, ok := m.looks[app]
	if !ok {
		look = make(chan struct{})
		m.looks[app] = look
	}
	m.mu.Unlock()
	m.Reconcile(app)
	select {
	case <-look:
	case <-ctx.Done():
	}
}

// looking begins a look at an app; who waits for it is told when it is over.
func (m *Manager) looking(app renga.AppID) (over func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	look, ok := m.looks[app]
	if !ok {
		return func() {}
	}
	delete(m.looks, app)
	return func() { close(look) }
}

// reconcileAll has every app looked at that has a worker.
func (m *Manager) reconcileAll() {
	m.mu.Lock()
	for app := range m.known {
		m.queued[app] = true
	}
	m.mu.Unlock()
	notify(m.signal)
}

// notify tells whoever waits on a channel of size one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Ready tells whether every app that there was at the start had its first look,
// so that the router knows all routes.
func (m *Manager) Ready() bool {
	select {
	case <-m.settled:
		return true
	default:
		return false
	}
}

// Settled waits until the manager is ready, or ctx ends.
func (m *Manager) Settled(ctx context.Context) error {
	select {
	case <-m.settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the first look at every app: %w", ctx.Err())
	}
}

// Run looks after the apps until ctx ends. It returns once all that it started
// has ended; dynos go on running.
func (m *Manager) Run(ctx context.Context) error {
	var own sync.WaitGroup
	own.Go(func() { m.watch(ctx) })
	own.Go(func() { m.discover(ctx) })
	own.Go(func() { m.guardDisks(ctx) })
	m.dispatch(ctx)
	own.Wait()
	return nil
}
