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

// Options are a Manager's settings. Every zero value but Domain's and Sizes' has
// a default.
type Options struct {
	Domain       string                // default host of an app: <name>.<Domain>
	Sizes        map[string]renga.Size // by name
	Port         int                   // what web dynos get as PORT; 8080
	BootTimeout  time.Duration         // for a web dyno to listen, then R10; 60s
	DrainTimeout time.Duration         // for requests in flight, before SIGTERM; 30s
	StopGrace    time.Duration         // SIGTERM to SIGKILL; 30s
	Settle       time.Duration         // how long another dyno must run to count as up; 1s
	PhaseLimit   time.Duration         // for a release command to end; 1h
	DeployLimit  time.Duration         // for a release to come up, its command and its time as a canary apart; 30m
	WatchWindow  time.Duration         // for a release to hold after it took over; 5m
	Resync       time.Duration         // between two looks if nothing happens; 30s
	Log          *slog.Logger
	Now          func() time.Time
	// Outputs keeps what release commands print; nil to keep nothing.
	Outputs Outputs
	// Ends is told how scheduled dynos ended; nil for nobody.
	Ends Ends
	// Rescuer has apps taken back from releases that do not hold; nil for nobody.
	Rescuer Rescuer
	// Logs keeps what dynos print and what is said of them; nil to keep nothing.
	Logs Logs
	// Probe tells whether somebody listens at host:port. The default is a TCP
	// connection.
	Probe func(ctx context.Context, addr string) error
	// Get asks a web dyno by HTTP for a path of a host, and tells what was wrong
	// with the answer. The default is a GET.
	Get func(ctx context.Context, addr, host, path string) error
}

// noEnds tells nobody.
type noEnds struct{}

func (noEnds) RunEnded(context.Context, renga.Dyno) error { return nil }

// orDefaults fills in what is not set.
func (o Options) orDefaults() Options {
	o.Port = orDefault(o.Port, 8080)
	o.BootTimeout = orDefault(o.BootTimeout, 60*time.Second)
	o.DrainTimeout = orDefault(o.DrainTimeout, 30*time.Second)
	o.StopGrace = orDefault(o.StopGrace, 30*time.Second)
	o.Settle = orDefault(o.Settle, time.Second)
	o.PhaseLimit = orDefault(o.PhaseLimit, time.Hour)
	o.DeployLimit = orDefault(o.DeployLimit, 30*time.Minute)
	o.WatchWindow = orDefault(o.WatchWindow, 5*time.Minute)
	o.Resync = orDefault(o.Resync, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ends == nil {
		o.Ends = noEnds{}
	}
	if o.Rescuer == nil {
		o.Rescuer = noRescuer{}
	}
	if o.Logs == nil {
		o.Logs = noLogs{}
	}
	if o.Probe == nil {
		o.Probe = connect
	}
	if o.Get == nil {
		o.Get = get
	}
	return o
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
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

// dispatch owns the workers: it makes one for each app that is queued, and lets
// go of those whose apps are no more.
func (m *Manager) dispatch(ctx context.Context) {
	workers := map[renga.AppID]*worker{}
	retired := make(chan *worker)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-retired:
			delete(workers, w.app)
			m.forget(w.app, len(w.again) > 0)
		case <-m.signal:
			for app := range m.takeQueued() {
				w, ok := workers[app]
				if !ok {
					w = newWorker(m, app)
					workers[app] = w
					running.Go(func() {
						w.run(ctx)
						select {
						case retired <- w:
						case <-ctx.Done():
						}
					})
				}
				w.lookAgain()
			}
		}
	}
}

// takeQueued empties the list of apps to look at, and notes that all of them
// have workers from now on.
func (m *Manager) takeQueued() map[renga.AppID]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.queued
	m.queued = map[renga.AppID]bool{}
	for app := range all {
		if _, ok := m.known[app]; !ok {
			m.known[app] = false
		}
	}
	return all
}

// forget ends what is known of an app; one that was queued meanwhile begins anew.
func (m *Manager) forget(app renga.AppID, again bool) {
	m.looked(app)
	m.mu.Lock()
	delete(m.known, app)
	delete(m.wakingUp, app)
	delete(m.looks, app) // who waits for one gives up
	m.mu.Unlock()
	m.stats.forget(app)
	m.apps.forget(app)
	if again {
		m.Reconcile(app)
	}
}

// looked notes an app's first look.
func (m *Manager) looked(app renga.AppID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[app] = true
	delete(m.awaited, app)
	m.settleLocked()
}

func (m *Manager) settleLocked() {
	if m.found && len(m.awaited) == 0 && !m.Ready() {
		close(m.settled)
	}
}
