package addons_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons"
	"renga/addons/addonstest"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	ada   = renga.AccountID("ada")
	blog  = renga.AppID("10000000-0000-4000-8000-000000000001")
	admin = renga.AppID("10000000-0000-4000-8000-000000000002")
)

// fixture is the room on a real store, with a provider, apps and a releaser that
// are in memory and survive it, as Docker and the registry do.
type fixture struct {
	*testing.T
	*addons.Service
	db     *store.Store
	server *fakeProvider
	apps   *addonstest.Apps
	logs   *addonstest.Logs
	notes  *addonstest.Notes
	calls  *calls
	twice  *twice
	later  time.Duration // by which the clock is ahead; changes while the room is stopped
	stop   func()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	if err != nil {
		t.Fatal(err)
	}
	calls := &calls{}
	f := &fixture{
		T: t, db: db, calls: calls, logs: &addonstest.Logs{}, notes: &addonstest.Notes{},
		server: &fakeProvider{calls: calls, made: map[renga.AddOnID]*made{}},
		apps:   addonstest.NewApps(t, db, ada, map[renga.AppID]string{blog: "blog", admin: "admin"}),
	}
	f.apps.Fault = calls.next
	f.twice = newTwice(t, calls)
	f.start()
	t.Cleanup(func() { f.stop() })
	return f
}

// start starts the room, anew if it was stopped.
func (f *fixture) start() {
	f.Service = addons.New(addons.Parts{
		Store: f.db, Writer: f.db, Apps: f.apps, Releaser: f.apps, Catalogue: fakeCatalogue{},
		Providers: map[string]provider.Provider{
			"fake": f.server, "another": &fakeProvider{calls: f.calls}, "disk": fakeDisks{f.server}, "twice": f.twice,
		},
		Logs: f.logs, Notes: f.notes,
		Log: slog.New(slog.NewTextHandler(f.T.Output(), nil)), Now: func() time.Time { return time.Now().Add(f.later) },
		NewID: uuid.NewString,
	})
	f.stop = addonstest.Run(f.Service)
}

// app reads an app.
func (f *fixture) app(id renga.AppID) renga.App {
	f.Helper()
	a, err := f.db.App(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// create makes an add-on for blog and waits until it is provisioned.
func (f *fixture) create(r renga.AddOnRequest) renga.AddOn {
	f.Helper()
	a, err := f.Create(f.Context(), f.app(blog), r, ada)
	if err != nil {
		f.Fatal(err)
	}
	return f.reaches(a.ID, renga.Provisioned)
}

// reaches waits until an add-on is in a state.
func (f *fixture) reaches(id renga.AddOnID, state renga.AddOnState) renga.AddOn {
	f.Helper()
	return addonstest.Reaches(f.T, f.db, id, state)
}

// gone waits until an add-on is gone, with all that its provider made.
func (f *fixture) gone(id renga.AddOnID) {
	f.Helper()
	addonstest.Gone(f.T, f.db, id)
	if f.server.has(id) {
		f.Error("its provider still has it")
	}
}

// must fails the test on an error.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// calls counts what the room asks of others, and can cut them off: from the call
// with that number on all fail, as if Renga had been killed there.
type calls struct {
	mu    sync.Mutex
	count int
	limit int // 0 for none
	gone  chan struct{}
}

var errKilled = errors.New("killed")

func (c *calls) next() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if c.limit == 0 || c.count < c.limit {
		return nil
	}
	if c.count == c.limit {
		close(c.gone)
	}
	return errKilled
}

// cutAfter has the n-th call from now on fail, and all after it.
func (c *calls) cutAfter(n int) (gone <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.gone = c.count+n, make(chan struct{})
	return c.gone
}

// mend ends that, and tells whether it came to it.
func (c *calls) mend() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cut := c.limit > 0 && c.count >= c.limit
	c.limit = 0
	return cut
}

// isCut tells whether it has come to the cut.
func (c *calls) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit > 0 && c.count >= c.limit
}

// made is what the provider made of an add-on.
type made struct {
	plan    string
	apps    []string
	known   map[string]string // passwords by user
	revoked []string          // users
	times   int
}

type fakeProvider struct {
	calls *calls
	mu    sync.Mutex
	made  map[renga.AddOnID]*made
	fault error
}

func (p *fakeProvider) Ensure(_ context.Context, i provider.Instance, tell func(string)) error {
	tell("starting")
	if err := p.calls.next(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return p.fault
	}
	m := p.made[i.AddOn.ID]
	if m == nil {
		m = &made{known: map[string]string{}, times: 1}
		p.made[i.AddOn.ID] = m
	}
	m.plan, m.apps = i.Plan.Name, nil
	for _, app := range i.Apps {
		m.apps = append(m.apps, app.Name)
	}
	slices.Sort(m.apps)
	return nil
}

func (p *fakeProvider) Grant(_ context.Context, i provider.Instance, c renga.Credential) error {
	if err := p.calls.next(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[i.AddOn.ID].known[c.User] = string(c.Password)
	return nil
}

func (p *fakeProvider) Revoke(_ context.Context, i provider.Instance, c renga.Credential) error {
	if err := p.calls.next(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.made[i.AddOn.ID]
	delete(m.known, c.User)
	m.revoked = append(m.revoked, c.User)
	return nil
}

func (p *fakeProvider) Config(i provider.Instance, c renga.Credential) (renga.Vars, error) {
	return renga.Vars{"URL": "db://" + c.User + ":" + string(c.Password) + "@" + i.AddOn.Host}, nil
}

func (p *fakeProvider) Remove(_ context.Context, i provider.Instance) error {
	if err := p.calls.next(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, i.AddOn.ID)
	return nil
}

func (p *fakeProvider) has(id renga.AddOnID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[id] != nil
}

// of is a copy of what was made of an add-on.
func (p *fakeProvider) of(id renga.AddOnID) made {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[id] == nil {
		return made{}
	}
	m := *p.made[id]
	m.known = maps.Clone(m.known)
	return m
}

func (p *fakeProvider) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = err
}

// fakeCatalogue has heroku-postgresql with two plans, and one of another server.
type fakeCatalogue struct{}

func (fakeCatalogue) Plan(name string) (catalogue.Service, catalogue.Plan, error) {
	service := catalogue.Service{
		Name: "heroku-postgresql", Prefix: "postgresql", Version: "17", Provider: "fake", Attachment: "DATABASE",
		Alternative: "HEROKU_POSTGRESQL", Config: map[string]catalogue.Template{"URL": {}},
	}
	switch name {
	case "heroku-postgresql", "heroku-postgresql:essential-0":
		return service, catalogue.Plan{Name: "essential-0"}, nil
	case "heroku-postgresql:standard-0":
		return service, catalogue.Plan{Name: "standard-0"}, nil
	case "heroku-postgresql:standard-9":
		service.Versions, service.Upgrade = map[string]string{"9": "", "15": "", "17": ""}, upgrades
		return service, catalogue.Plan{Name: "standard-9", Provider: "twice"}, nil
	case "renga-disk", "renga-disk:basic":
		disk := catalogue.Service{Name: "renga-disk", Provider: "disk", Attachment: "DISK"}
		return disk, catalogue.Plan{Name: "basic"}, nil
	case "heroku-postgresql:premium-0":
		return service, catalogue.Plan{Name: "premium-0", Provider: "another"}, nil
	}
	return service, catalogue.Plan{}, renga.Errorf(renga.NotFound, "Couldn't find either the add-on service or the "+
		"add-on plan of %q.", name)
}
