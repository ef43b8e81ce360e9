package runtime_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"renga"
	"renga/runtime"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
	"renga/runtime/plan/plantest"
)

// What the tests of the plan and those of the manager put into words alike.
const app = plantest.App

var record, formation = plantest.Record, plantest.Formation

var sizes = map[string]renga.Size{
	"eco": {Name: "eco"}, "standard-1x": {Name: "standard-1x", DiskBytes: 2 << 30}, "standard-2x": {Name: "standard-2x"},
}

// programs are what the tests' images run, by the first word of the command.
func programs() map[string]enginetest.Program {
	return map[string]enginetest.Program{
		"serve":     {Listens: 2 * time.Second},
		"work":      {},
		"crash":     {Exits: true, Code: 1, Lines: []string{"no database at $DATABASE_URL", "bye"}},
		"grow":      {Listens: -1, Exits: true, After: 100 * time.Millisecond, Code: 137, OOM: true},
		"slowboot":  {Listens: 90 * time.Second},
		"mute":      {Listens: -1},
		"elsewhere": {Elsewhere: "127.0.0.1:9999"},
		"stubborn":  {Stops: -1},
		"slowpull":  {Pull: time.Second},
		"longpull":  {Pull: 100 * time.Hour},
		"faint":     {Listens: 2 * time.Second, Exits: true, After: 20 * time.Second, Code: 4, Lines: []string{"dizzy"}},
		"migrate":   {Exits: true, After: 10 * time.Second, Lines: []string{"migrating $DATABASE_URL"}},
		"botch":     {Exits: true, After: time.Second, Code: 3, Lines: []string{"no such table"}},
		"/bin/sh":   {Exits: true, After: time.Minute, Lines: []string{"$GREETING"}},
		"echo":      {Echo: true, Code: 5, Lines: []string{"ready"}},
		"flaky":     {Exits: true, After: 6 * time.Minute, Code: 2},
	}
}

// store is a runtime.Store and runtime.Releases of one app.
type store struct {
	mu      sync.Mutex
	desired renga.Desired
	err     error // what every call answers; nil to work
	gate    chan struct{}
	// before is called before an outcome is taken; what it takes long for is not
	// written down yet, and what it refuses never is.
	before   func(version int, o renga.Outcome) error
	outcomes map[int]renga.Outcome
	dynos    []renga.Dyno
	saves    int
	vars     renga.Vars // of every release, besides DATABASE_URL
}

func newStore() *store {
	return &store{outcomes: map[int]renga.Outcome{}, desired: renga.Desired{
		App: renga.App{ID: app, Name: "shop"}, Restarts: map[string]time.Time{},
	}}
}

func (s *store) Desired(_ context.Context, id renga.AppID) (renga.Desired, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != app {
		return renga.Desired{}, renga.Errorf(renga.NotFound, "No app %s.", id)
	}
	d := s.desired
	d.Formation, d.Restarts = maps.Clone(d.Formation), maps.Clone(d.Restarts)
	return d, s.err
}

func (s *store) AppIDs(context.Context) ([]renga.AppID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if renga.KindOf(s.err) == renga.NotFound {
		return nil, nil
	}
	return []renga.AppID{app}, s.err
}

func (s *store) SaveDynos(_ context.Context, _ renga.AppID, ds []renga.Dyno) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dynos = ds
	s.saves++
	return s.err
}

// SetOutcome moves Live and Next as the real store does.
func (s *store) SetOutcome(_ context.Context, _ renga.AppID, version int, o renga.Outcome) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(version, o); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return plantest.SetOutcome(&s.desired, s.outcomes, version, o)
}

func (s *store) SetAsleep(_ context.Context, _ renga.AppID, since time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.desired.AsleepSince = since
	}
	return s.err
}

func (s *store) Release(_ context.Context, _ renga.App, digest string) (renga.Release, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range []*renga.ReleaseRecord{s.desired.Live, s.desired.Next} {
		if r != nil && r.Digest == digest {
			return renga.Release{
				App: app, Version: r.Version, Description: "Deploy", CreatedAt: r.CreatedAt,
				Inputs: renga.Inputs{
					Images: r.Images, Vars: renga.Merge(renga.Vars{"DATABASE_URL": "db:5432"}, s.vars),
					Credentials: map[renga.AddOnID]renga.Credentials{"disk": {Mounts: r.Mounts}},
				},
			}, nil
		}
	}
	return renga.Release{}, renga.Errorf(renga.NotFound, "No release %s.", digest)
}

// change edits what is wanted.
func (s *store) change(edit func(*renga.Desired)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.desired)
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// router is a runtime.Router that notes what it is told.
type router struct {
	mu     sync.Mutex
	routes []renga.Route
	drains []string
	linger time.Duration // how long a drain takes
	tally  renga.Tally   // of every target
	last   time.Time     // request
	hook   func(renga.Route)
	holds  int // since the last route
}

func (r *router) Hold(renga.AppID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds++
}

// held tells whether requests wait for the next route.
func (r *router) held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holds > 0
}

func (r *router) Route(route renga.Route) {
	r.mu.Lock()
	r.routes, r.holds = append(r.routes, route), 0
	hook := r.hook
	r.mu.Unlock()
	if hook != nil {
		hook(route)
	}
}

func (r *router) Drain(ctx context.Context, _ renga.AppID, target string) error {
	r.mu.Lock()
	r.drains = append(r.drains, target)
	linger := r.linger
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(linger):
		return nil
	}
}

func (r *router) LastRequest(renga.AppID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *router) Tally(renga.AppID, string) renga.Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally
}

// count has every target tell that of its requests.
func (r *router) count(t renga.Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally = t
}

// fixture is a manager among fakes, in a bubble of time.
type fixture struct {
	*testing.T
	*store
	*router
	*enginetest.Memory
	engine  engine.Engine // what the manager sees of Memory
	m       *runtime.Manager
	options runtime.Options
	end     func()
}

// withFixture runs a test with a manager that looks after one app.
func withFixture(t *testing.T, test func(h *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		e := enginetest.NewMemory(nil, programs())
		h := &fixture{T: t, store: newStore(), router: &router{}, Memory: e, engine: e}
		h.options = runtime.Options{Domain: "renga.localhost", Sizes: sizes, Probe: e.Probe}
		test(h)
		if h.end != nil {
			h.end()
		}
	})
}

// run starts a manager, after the one before has ended.
func (h *fixture) run() {
	if h.end != nil {
		h.end()
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, ended := runtime.New(h.options, h.store, h.store, h.engine, h.router), make(chan error)
	go func() { ended <- m.Run(ctx) }()
	h.m = m
	h.end = func() {
		cancel()
		if err := <-ended; err != nil {
			h.Errorf("run: %v", err)
		}
		h.end = nil
	}
}

// after lets time pass and all that is due in it happen.
func (h *fixture) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// deploy asks for a release and lets it come up, if it can.
func (h *fixture) deploy(version int, what string) {
	h.push(version, what)
	h.after(5 * time.Second)
}

// push asks for a release.
func (h *fixture) push(version int, what string) {
	h.change(func(d *renga.Desired) {
		d.Next = record(version, what, renga.Pending)
		d.Next.Outcome.At = time.Now()
	})
	h.m.Reconcile(app)
}

func (h *fixture) scale(what string) {
	h.change(func(d *renga.Desired) { d.Formation = formation(what) })
	h.m.Reconcile(app)
}

func (h *fixture) restart(key string) {
	h.change(func(d *renga.Desired) { d.Restarts[key] = time.Now() })
	h.m.Reconcile(app)
}

// running lists what runs, as "web.1 v2".
func (h *fixture) running() []string {
	h.Helper()
	all, err := h.Memory.List(context.Background(), "")
	if err != nil {
		h.Fatal(err)
	}
	var names []string
	for _, i := range all {
		if i.State == engine.Running {
			names = append(names, i.Name+" "+renga.VersionName(i.Release))
		}
	}
	slices.Sort(names)
	return names
}

// did lists what happened in the engine since the last call.
func (h *fixture) did() []string {
	var all []string
	for _, e := range h.Events() {
		all = append(all, e.String())
	}
	return all
}

// route is what the router was told last.
func (h *fixture) route() renga.Route {
	h.Helper()
	h.router.mu.Lock()
	defer h.router.mu.Unlock()
	if len(h.routes) == 0 {
		h.Fatal("the router was told nothing")
	}
	return h.routes[len(h.routes)-1]
}

// targets lists who is asked, as "web.1 i000001:8080".
func (h *fixture) targets() []string {
	h.Helper()
	var all []string
	for _, t := range h.route().Targets {
		all = append(all, t.Dyno+" "+t.Addr)
	}
	return all
}

// states lists the records that were saved, as "web.1 v2 up".
func (h *fixture) states() []string {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	var all []string
	for _, d := range h.dynos {
		all = append(all, fmt.Sprintf("%s v%d %s", d.Name, d.Release, d.State))
	}
	return all
}

func (h *fixture) outcome(version int) renga.Outcome {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	return h.outcomes[version]
}

// is compares lists of words.
func is(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q; want %q", what, got, want)
	}
}
