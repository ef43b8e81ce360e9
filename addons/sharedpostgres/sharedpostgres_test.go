package sharedpostgres_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/container"
	"renga/addons/provider"
	"renga/addons/providertest"
	"renga/addons/sharedpostgres"
	"renga/docker"
	"renga/e2e/services"
)

// common is the platform of most tests: they have one server together, which stays
// as long as there is a database in it that none of them removes.
var common = "test-" + uuid.NewString()

func TestMain(m *testing.M) {
	code := m.Run()
	if err := removeServer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// removeServer removes what is left once the tests have ended.
func removeServer() error {
	f, err := open(common, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return f.shared.Remove(context.Background(), providertest.NewInstance(f.service, f.plan))
}

func TestProvider(t *testing.T) {
	providertest.Run(t, func(t *testing.T) *providertest.Bench { return commonFixture(t).bench() })
}

// TestDatabasesInOneServerAreApart tries to break out of one database into another
// one of the same server, with all that its credential can do.
func TestDatabasesInOneServerAreApart(t *testing.T) {
	f := commonFixture(t)
	shop, blog := f.client.NewDyno(t), f.client.NewDyno(t)
	mine, theirs := f.made(shop), f.made(blog)
	if all := f.containers(); len(all) != 1 {
		t.Fatalf("%d containers, want one for both", len(all))
	}
	f.must(f.query(blog, f.url(theirs), "CREATE TABLE secrets AS SELECT 'm4rk3r'::text AS s"))
	f.must(f.query(shop, f.url(mine), "CREATE TABLE mine (x int)"))
	intoTheirs := strings.ReplaceAll(f.url(mine), catalogue.DatabaseName(mine.AddOn.ID), catalogue.DatabaseName(theirs.AddOn.ID))
	theirDatabase, theirUser := catalogue.DatabaseName(theirs.AddOn.ID), theirs.AddOn.Credentials[0].User
	for what, try := range map[string][2]string{
		"connect to their database":    {intoTheirs, "SELECT * FROM secrets"},
		"connect to the superuser's":   {strings.ReplaceAll(f.url(mine), "/"+catalogue.DatabaseName(mine.AddOn.ID), "/postgres"), "SELECT 1"},
		"become their role":            {f.url(mine), "SET ROLE " + theirUser},
		"become their owner":           {f.url(mine), "SET ROLE " + theirDatabase + "_owner"},
		"become the superuser":         {f.url(mine), "SET ROLE postgres"},
		"make itself superuser":        {f.url(mine), "ALTER ROLE CURRENT_USER SUPERUSER"},
		"make a role":                  {f.url(mine), "CREATE ROLE evil LOGIN"},
		"make a database":              {f.url(mine), "CREATE DATABASE evil"},
		"drop their database":          {f.url(mine), "DROP DATABASE " + theirDatabase},
		"read passwords":               {f.url(mine), "SELECT rolpassword FROM pg_authid"},
		"run a program":                {f.url(mine), "COPY mine FROM PROGRAM 'id'"},
		"read a file":                  {f.url(mine), "SELECT pg_read_file('/etc/renga/admin')"},
		"write a file":                 {f.url(mine), "COPY mine TO '/tmp/x'"},
		"change the server's settings": {f.url(mine), "ALTER SYSTEM SET max_connections = 1"},
		"have more connections":        {f.url(mine), "ALTER ROLE " + mine.AddOn.Credentials[0].User + " CONNECTION LIMIT 400"},
		"rename their owner":           {f.url(mine), "ALTER ROLE " + theirDatabase + "_owner RENAME TO evil"},
		"change their password":        {f.url(mine), "ALTER ROLE " + theirUser + " PASSWORD 'x'"},
	} {
		if out, err := f.query(shop, try[0], try[1]); err == nil {
			t.Errorf("an app could %s: %q", what, out)
		}
	}
	held, err := blog.Hold(t.Context(), f.vars(theirs))
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.query(shop, f.url(mine),
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep%' AND datname = '"+theirDatabase+"'")
	if err != nil || out != "0" {
		t.Errorf("their queries are seen: %q, %v", out, err)
	}
	f.must(f.query(shop, f.url(mine), "SELECT 1"))
	_, err = f.query(shop, f.url(mine),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+theirDatabase+"'")
	if err == nil {
		t.Error("an app could end their connections")
	}
	select {
	case <-held:
		t.Error("their connection ended")
	default:
	}
}

// TestADatabaseHasItsPlansConnections and no more; those of others are not counted.
func TestADatabaseHasItsPlansConnections(t *testing.T) {
	f := commonFixture(t)
	app := f.client.NewDyno(t)
	i := f.made(app)
	for range 3 { // the plan's connections
		if _, err := app.Hold(t.Context(), f.vars(i)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := f.query(app, f.url(i), "SELECT 1"); err == nil {
		t.Errorf("a fourth connection is open: %q", out)
	}
	other := f.made(app)
	f.must(f.query(app, f.url(other), "SELECT 1"))
	usage, err := f.shared.Measure(t.Context(), i)
	if err != nil || usage.Connections != 3 || usage.DataBytes < 1<<20 {
		t.Errorf("it uses %+v, %v", usage, err)
	}
}

// TestManyCredentialsHaveTheConnectionsOfTwo: the server is for all.
func TestManyCredentialsHaveTheConnectionsOfTwo(t *testing.T) {
	f := commonFixture(t)
	app := f.client.NewDyno(t)
	i := f.made(app)
	for n := range 2 {
		i.AddOn.Credentials = append(i.AddOn.Credentials, f.granted(i, n+2))
	}
	open := 0
	for _, c := range i.AddOn.Credentials {
		vars, err := f.shared.Config(i, c)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := app.Hold(t.Context(), vars); err == nil {
				open++
			}
		}
	}
	if open != 6 {
		t.Errorf("three credentials have %d connections, want those of two", open)
	}
}

// granted is a further credential of an add-on.
func (f *fixture) granted(i provider.Instance, version int) renga.Credential {
	f.Helper()
	c := providertest.NewInstance(f.service, f.plan).AddOn.Credentials[0]
	c.Version, c.State = version, renga.CredentialActive
	if err := f.shared.Grant(f.Context(), i, c); err != nil {
		f.Fatal(err)
	}
	return c
}

// TestAQueryDoesNotFillTheDisk with what it sorts, whatever an app sets itself.
func TestAQueryDoesNotFillTheDisk(t *testing.T) {
	f := commonFixture(t)
	app := f.client.NewDyno(t)
	f.plan.Disk = 16 << 20
	i := f.made(app)
	const sorted = "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT repeat(x::text, 20) FROM generate_series(1, %d) x ORDER BY 1) s"
	f.must(f.query(app, f.url(i), fmt.Sprintf(sorted, 10_000)))
	for _, first := range []string{"", "RESET ALL; ", "ALTER ROLE SESSION_USER RESET ALL; ", "SET temp_file_limit = -1; "} {
		out, err := f.query(app, f.url(i), first+fmt.Sprintf(sorted, 400_000))
		if err == nil {
			t.Errorf("%sit sorts %q rows", first, out)
		}
	}
	_, err := f.query(app, f.url(i), fmt.Sprintf(sorted, 400_000))
	if err == nil || !strings.Contains(err.Error(), "temp_file_limit") {
		t.Errorf("it ends with %v", err)
	}
}

// TestAnAppCannotKeepItsDatabase, nor a credential that is to end, by what it sets as
// the database's owner.
func TestAnAppCannotKeepItsDatabase(t *testing.T) {
	f := commonFixture(t)
	app := f.client.NewDyno(t)
	i := f.made(app)
	name := catalogue.DatabaseName(i.AddOn.ID)
	old := i.AddOn.Credentials[0]
	i.AddOn.Credentials[0] = f.granted(i, 2)
	for _, sql := range []string{
		"IS_TEMPLATE true", "CONNECTION LIMIT 400", "SET role = '" + name + "_owner'", "SET search_path = pg_temp",
		"SET default_transaction_read_only = on", // last, for it holds from then on
	} {
		f.must(f.query(app, f.url(i), "ALTER DATABASE "+name+" "+sql))
	}
	if err := f.shared.Revoke(t.Context(), i, old); err != nil {
		t.Error(err)
	}
	var dump bytes.Buffer
	if err := f.shared.Dump(t.Context(), i, &dump); err != nil {
		t.Fatal(err)
	}
	if err := f.shared.Restore(t.Context(), i, bytes.NewReader(dump.Bytes())); err != nil {
		t.Error(err)
	}
	f.must(f.query(app, f.url(i), "ALTER DATABASE "+name+" IS_TEMPLATE true"))
	f.remove(i)
	if left := f.left(t, i); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// TestTheLastDatabaseTakesItsServerWithIt; one before it takes only what is its own.
func TestTheLastDatabaseTakesItsServerWithIt(t *testing.T) {
	f := newFixture(t, "test-"+uuid.NewString())
	app := f.client.NewDyno(t)
	first, second := f.made(app), f.made(app)
	f.must(f.query(app, f.url(second), "CREATE TABLE kept AS SELECT 1"))
	f.remove(first)
	if out, err := f.query(app, f.url(first), "SELECT 1"); err == nil {
		t.Errorf("a database that was removed answers %q", out)
	}
	out, err := f.query(app, f.url(second), "SELECT count(*) FROM pg_roles WHERE rolname LIKE '"+
		catalogue.DatabaseName(first.AddOn.ID)+"%' OR rolname = '"+first.AddOn.Credentials[0].User+"'")
	if err != nil || out != "0" {
		t.Errorf("%q roles are left of it, %v", out, err)
	}
	f.must(f.query(app, f.url(second), "SELECT * FROM kept"))
	f.remove(second)
	if left := f.left(t, second); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// TestADumpGoesIntoAnotherDatabase of the same server, and replaces what is there.
func TestADumpGoesIntoAnotherDatabase(t *testing.T) {
	f := commonFixture(t)
	app := f.client.NewDyno(t)
	from, to := f.made(app), f.made(app)
	f.must(f.query(app, f.url(from), "CREATE TABLE words AS SELECT 'hello' AS w"))
	f.must(f.query(app, f.url(to), "CREATE TABLE old (x int)"))
	var dump bytes.Buffer
	if err := f.shared.Dump(t.Context(), from, &dump); err != nil {
		t.Fatal(err)
	}
	if err := f.shared.Restore(t.Context(), to, &dump); err != nil {
		t.Fatal(err)
	}
	if out, err := f.query(app, f.url(to), "SELECT w FROM words"); err != nil || out != "hello" {
		t.Errorf("restored is %q, %v", out, err)
	}
	if out, err := f.query(app, f.url(to), "SELECT * FROM old"); err == nil {
		t.Errorf("what was there before is still there: %q", out)
	}
	if err := f.shared.Restore(t.Context(), to, strings.NewReader("no dump")); err == nil {
		t.Error("what is no dump was restored")
	}
	if out, err := f.query(app, f.url(to), "SELECT w FROM words"); err != nil || out != "hello" {
		t.Errorf("after a restore that failed it is %q, %v", out, err)
	}
}

// fixture is the provider on the real daemon, with a platform of its own.
type fixture struct {
	*testing.T
	shared   *sharedpostgres.Provider
	docker   *docker.Client
	platform string
	service  catalogue.Service
	plan     catalogue.Plan
	client   providertest.Client
	store    *fakeStore
}

func newFixture(t *testing.T, platform string) *fixture {
	t.Helper()
	if _, err := services.Build(t.Context(), services.Postgres15); err != nil {
		t.Fatal(err)
	}
	f, err := open(platform, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.T = t
	return f
}

// commonFixture is a fixture whose server has another database, that stays.
func commonFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, common)
	f.store.addOns = []renga.AddOn{providertest.NewInstance(f.service, f.plan).AddOn}
	return f
}

func open(platform string, log *slog.Logger) (*fixture, error) {
	all, err := catalogue.Load("")
	if err != nil {
		return nil, err
	}
	f := &fixture{platform: platform, store: &fakeStore{}}
	if f.service, f.plan, err = all.Plan("heroku-postgresql:essential-0"); err != nil {
		return nil, err
	}
	f.service.Version, f.service.Image, f.plan.Connections = "15", services.Postgres15, 3
	if f.docker, err = docker.New(docker.Options{Platform: platform, Log: log}); err != nil {
		return nil, err
	}
	server := container.New(container.Options{Docker: f.docker, Logs: noLogs{}, Log: log, Now: time.Now})
	f.shared = sharedpostgres.New(sharedpostgres.Options{
		Platform: platform, Secret: []byte("secret"), Server: server, Store: f.store, Catalogue: f, Now: time.Now,
	})
	f.client = providertest.Client{
		Docker: f.docker, Image: services.Postgres15, Idle: []string{"sleep", "infinity"},
		Set: func(vars renga.Vars, key, value string) []string {
			return psql(vars["URL"], "CREATE TABLE IF NOT EXISTS kv (k text PRIMARY KEY, v text); INSERT INTO kv VALUES ('"+key+
				"', '"+value+"') ON CONFLICT (k) DO UPDATE SET v = excluded.v")
		},
		Get: func(vars renga.Vars, key string) []string {
			return psql(vars["URL"], "SELECT v FROM kv WHERE k = '"+key+"'")
		},
		Hold: func(vars renga.Vars) []string {
			return append(psql(vars["URL"], "SELECT 'connected'"), "--command=SELECT pg_sleep(600)")
		},
	}
	return f, nil
}

func psql(url, sql string) []string {
	return []string{"psql", "--no-psqlrc", "--quiet", "-At", "--set=ON_ERROR_STOP=1", url, "--command=" + sql}
}

// Plan is the catalogue's, of the add-ons of this test.
func (f *fixture) Plan(string) (catalogue.Service, catalogue.Plan, error) {
	return f.service, f.plan, nil
}

func (f *fixture) bench() *providertest.Bench {
	larger := f.plan
	larger.Name, larger.Connections = "essential-2", 5
	return &providertest.Bench{
		Provider: f.shared, Service: f.service, Plan: f.plan, Larger: larger, NewApp: f.client.NewApp, Left: f.left,
		Kill: func(t *testing.T, _ provider.Instance) {
			t.Helper()
			for _, c := range f.containers() {
				if err := c.Kill(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
}

// containers are those of the servers.
func (f *fixture) containers() []docker.Container {
	f.Helper()
	all, err := f.docker.List(f.Context(), "addon")
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// left is what a server has of an add-on, or its container itself if nobody else is
// in it.
func (f *fixture) left(t *testing.T, i provider.Instance) []string {
	t.Helper()
	var all []string
	for _, c := range f.containers() {
		if f.platform != common {
			all = append(all, "container "+c.ID)
			continue
		}
		var out bytes.Buffer
		name := catalogue.DatabaseName(i.AddOn.ID)
		err := c.Run(t.Context(), docker.Program{Output: &out, Argv: []string{
			"psql", "-At", "--username=postgres", "--command=SELECT 'database ' || datname FROM pg_database WHERE datname LIKE '" +
				name + "%' UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE '" + name + "%'",
		}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(out.String())...)
	}
	return all
}

// made makes a database for an app, until the test's end.
func (f *fixture) made(app *providertest.Dyno) provider.Instance {
	f.Helper()
	i := providertest.NewInstance(f.service, f.plan, app.App())
	i.AddOn.Attachments = []renga.Attachment{{App: app.App().ID, Name: "DATABASE", Credential: renga.DefaultCredential}}
	f.store.add(i.AddOn, app.App())
	f.Cleanup(func() {
		if err := f.shared.Remove(context.Background(), i); err != nil {
			f.Error(err)
		}
		f.store.remove(i.AddOn.ID)
	})
	if err := f.shared.Ensure(f.Context(), i, func(string) {}); err != nil {
		f.Fatal(err)
	}
	if err := f.shared.Grant(f.Context(), i, i.AddOn.Credentials[0]); err != nil {
		f.Fatal(err)
	}
	i.AddOn.Credentials[0].State = renga.CredentialActive
	return i
}

func (f *fixture) remove(i provider.Instance) {
	f.Helper()
	for range 2 {
		if err := f.shared.Remove(f.Context(), i); err != nil {
			f.Fatal(err)
		}
	}
	f.store.remove(i.AddOn.ID)
}

func (f *fixture) vars(i provider.Instance) renga.Vars {
	f.Helper()
	vars, err := f.shared.Config(i, i.AddOn.Credentials[0])
	if err != nil {
		f.Fatal(err)
	}
	return vars
}

func (f *fixture) url(i provider.Instance) string { return f.vars(i)["URL"] }

// query asks a database from an app's dyno.
func (f *fixture) query(app *providertest.Dyno, url, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	return app.Prints(ctx, psql(url, sql)...)
}

func (f *fixture) must(_ string, err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// fakeStore has the add-ons and apps of a test.
type fakeStore struct {
	addOns []renga.AddOn
	apps   []provider.App
}

func (s *fakeStore) add(a renga.AddOn, app provider.App) {
	s.addOns, s.apps = append(s.addOns, a), append(s.apps, app)
}

func (s *fakeStore) remove(id renga.AddOnID) {
	s.addOns = slices.DeleteFunc(s.addOns, func(a renga.AddOn) bool { return a.ID == id })
}

func (s *fakeStore) AddOns(context.Context) ([]renga.AddOn, error) {
	return slices.Clone(s.addOns), nil
}

func (s *fakeStore) App(_ context.Context, id renga.AppID) (renga.App, error) {
	for _, a := range s.apps {
		if a.ID == id {
			return renga.App{ID: id, Name: a.Name}, nil
		}
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "Couldn't find that app.")
}

// noLogs are logs that nobody reads.
type noLogs struct{}

func (noLogs) Line(renga.AppID, string, string, string)                 {}
func (noLogs) Keep(renga.AppID, string, []renga.LogLine, renga.LogMark) {}
func (noLogs) Mark(renga.AppID, string) renga.LogMark                   { return renga.LogMark{} }
func (noLogs) Forget(renga.AppID, string) error                         { return nil }
