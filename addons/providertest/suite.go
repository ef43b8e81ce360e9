// Package providertest says what every provider of add-ons that gives credentials
// must do, as tests. A provider's own tests hand it a [Bench] and run them.
package providertest

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// Bench is a provider with what its tests need around it.
type Bench struct {
	Provider provider.Provider
	Service  catalogue.Service
	// Plan is what add-ons are made with, and Larger what they change to.
	Plan, Larger catalogue.Plan
	// Options are what add-ons are asked for with, such as a version.
	Options map[string]string
	// NewApp makes an app that has a dyno, with the clients of the service in it.
	NewApp func(t *testing.T) App
	// Kill kills a service, as it would die by itself.
	Kill func(t *testing.T, i provider.Instance)
	// Left is what there still is of an add-on, in words.
	Left func(t *testing.T, i provider.Instance) []string
	// Limit is how long a service may take to come up; a minute if it is 0.
	Limit time.Duration
}

// App is an app with a dyno.
type App interface {
	App() provider.App
	// Set and Get run a client in the dyno, that has these config vars.
	Set(ctx context.Context, vars renga.Vars, key, value string) error
	Get(ctx context.Context, vars renga.Vars, key string) (string, error)
	// Hold has a client connect and wait; it returns once it is connected. The
	// channel is closed when the service ended the connection.
	Hold(ctx context.Context, vars renga.Vars) (<-chan struct{}, error)
}

// Run runs all tests.
func Run(t *testing.T, newBench func(t *testing.T) *Bench) {
	for _, one := range []struct {
		name string
		test func(*bench)
	}{
		{"an app uses what it has attached", testUse},
		{"a second credential lives beside the first until it is revoked", testRotation},
		{"a plan changes and the data stay", testPlan},
		{"a service that was killed comes back with its credentials", testKilled},
		{"ensuring again changes nothing", testAgain},
		{"an app reaches it exactly while it has it attached", testAttached},
		{"what was cut short is done by the next call", testCutShort},
		{"removing leaves nothing", testRemove},
	} {
		t.Run(one.name, func(t *testing.T) {
			b := newBench(t)
			if b.Limit == 0 {
				b.Limit = time.Minute
			}
			one.test(&bench{t, b})
		})
	}
}

// bench is a Bench in one test.
type bench struct {
	*testing.T
	*Bench
}

// NewInstance is an add-on as it is wanted at first, with one credential that is new.
func NewInstance(s catalogue.Service, p catalogue.Plan, apps ...provider.App) provider.Instance {
	name := s.Prefix + "-test-" + strings.ToLower(rand.Text()[:8])
	i := provider.Instance{Service: s, Plan: p, Apps: apps, AddOn: renga.AddOn{
		ID: renga.AddOnID(uuid.NewString()), Name: name, Host: name + renga.AddOnDomain, Service: s.Name, Plan: p.Name,
		State: renga.Provisioning, Admin: renga.Secret(rand.Text() + rand.Text()), CreatedAt: time.Now(),
		App: renga.AppID(uuid.NewString()),
	}}
	if len(apps) > 0 {
		i.AddOn.App = apps[0].ID
	}
	addCredential(&i)
	return i
}

func addCredential(i *provider.Instance) {
	i.AddOn.Generation++
	i.AddOn.Credentials = append(slices.Clone(i.AddOn.Credentials), renga.Credential{
		Name: renga.DefaultCredential, Version: i.AddOn.Generation, User: "u" + strings.ToLower(rand.Text()[:14]),
		Password: renga.Secret(rand.Text() + rand.Text()), State: renga.CredentialNew, CreatedAt: time.Now(),
	})
}

// made makes an add-on for apps, up to where they have its credential.
func (b *bench) made(apps ...App) provider.Instance {
	b.Helper()
	i := NewInstance(b.Service, b.Plan)
	i.AddOn.Options = b.Options
	for _, app := range apps {
		i.Apps = append(i.Apps, app.App())
	}
	if len(apps) > 0 {
		i.AddOn.App = apps[0].App().ID
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), b.Limit)
		defer cancel()
		if err := b.Provider.Remove(ctx, i); err != nil {
			b.Error(err)
		}
	})
	b.ensure(i)
	b.grant(&i)
	return i
}

func (b *bench) ensure(i provider.Instance) []string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.Limit)
	defer cancel()
	var steps []string
	if err := b.Provider.Ensure(ctx, i, func(step string) { steps = append(steps, step) }); err != nil {
		b.Fatalf("after %q: %v", steps, err)
	}
	return steps
}

// grant grants the newest credential.
func (b *bench) grant(i *provider.Instance) {
	b.Helper()
	newest := &i.AddOn.Credentials[len(i.AddOn.Credentials)-1]
	for range 2 { // it may be repeated
		if err := b.Provider.Grant(b.Context(), *i, *newest); err != nil {
			b.Fatal(err)
		}
	}
	newest.State, i.AddOn.State = renga.CredentialActive, renga.Provisioned
}

// vars are the config vars of the n-th credential.
func (b *bench) vars(i provider.Instance, n int) renga.Vars {
	b.Helper()
	vars, err := b.Provider.Config(i, i.AddOn.Credentials[n])
	if err != nil {
		b.Fatal(err)
	}
	return vars
}

func (b *bench) set(app App, vars renga.Vars, key, value string) {
	b.Helper()
	if err := app.Set(b.Context(), vars, key, value); err != nil {
		b.Errorf("%s cannot be written: %v", key, err)
	}
}

// has checks that a key has a value, for whoever has these config vars.
func (b *bench) has(app App, vars renga.Vars, key, value string) {
	b.Helper()
	if got, err := app.Get(b.Context(), vars, key); err != nil || got != value {
		b.Errorf("%s is %q, %v; want %q", key, got, err, value)
	}
}

// refused checks that nobody gets in with these config vars.
func (b *bench) refused(app App, vars renga.Vars, who string) {
	b.Helper()
	if got, err := app.Get(b.Context(), vars, "key"); err == nil {
		b.Errorf("%s reads %q", who, got)
	}
}

func testUse(b *bench) {
	app := b.NewApp(b.T)
	i := b.made(app)
	vars := b.vars(i, 0)
	b.set(app, vars, "key", "value")
	b.has(app, vars, "key", "value")

	wrong := maps.Clone(vars)
	password := string(i.AddOn.Credentials[0].Password)
	for name, value := range wrong {
		wrong[name] = strings.ReplaceAll(value, password, strings.Repeat("x", len(password)))
	}
	if maps.Equal(wrong, vars) {
		b.Errorf("the config vars %v have no password", slices.Collect(maps.Keys(vars)))
	}
	b.refused(app, wrong, "whoever has a wrong password")
}

func testRotation(b *bench) {
	app := b.NewApp(b.T)
	i := b.made(app)
	first := b.vars(i, 0)
	b.set(app, first, "key", "value")

	addCredential(&i)
	b.refused(app, b.vars(i, 1), "whoever has a credential that was not granted")
	b.grant(&i)
	second := b.vars(i, 1)
	b.has(app, first, "key", "value")
	b.has(app, second, "key", "value")
	b.set(app, second, "key", "newer")
	b.has(app, first, "key", "newer")

	held, err := app.Hold(b.Context(), first)
	if err != nil {
		b.Fatal(err)
	}
	for range 2 { // what it does not know any more is no error
		if err := b.Provider.Revoke(b.Context(), i, i.AddOn.Credentials[0]); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-held:
	case <-time.After(b.Limit):
		b.Error("a connection with a credential that was revoked stays open")
	}
	b.refused(app, first, "whoever has a credential that was revoked")
	b.has(app, second, "key", "newer")
}

func testPlan(b *bench) {
	app := b.NewApp(b.T)
	i := b.made(app)
	vars := b.vars(i, 0)
	b.set(app, vars, "key", "value")
	i.Plan, i.AddOn.Plan = b.Larger, b.Larger.Name
	b.ensure(i)
	b.has(app, vars, "key", "value")
	b.set(app, vars, "key", "more")
	b.has(app, vars, "key", "more")
}

func testKilled(b *bench) {
	app := b.NewApp(b.T)
	i := b.made(app)
	vars := b.vars(i, 0)
	b.set(app, vars, "key", "value")
	for range 2 {
		b.Kill(b.T, i)
		b.eventually(func() error { return b.Provider.Ensure(b.Context(), i, func(string) {}) })
		b.has(app, vars, "key", "value")
	}
}

// eventually tries until it goes well: what ends again and again has pauses.
func (b *bench) eventually(try func() error) {
	b.Helper()
	deadline := time.Now().Add(b.Limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // between two tries, as the room does
	}
}

func testAgain(b *bench) {
	app := b.NewApp(b.T)
	i := b.made(app)
	held, err := app.Hold(b.Context(), b.vars(i, 0))
	if err != nil {
		b.Fatal(err)
	}
	for range 2 {
		if steps := b.ensure(i); len(steps) != 0 {
			b.Errorf("ensuring again does %q", steps)
		}
	}
	select {
	case <-held:
		b.Error("ensuring again ends connections")
	default:
	}
}

func testAttached(b *bench) {
	first, second := b.NewApp(b.T), b.NewApp(b.T)
	i := b.made(first)
	vars := b.vars(i, 0)
	b.set(first, vars, "key", "value")
	b.refused(second, vars, "an app that does not have it attached")

	i.Apps = append(i.Apps, second.App())
	b.ensure(i)
	b.has(second, vars, "key", "value")
	b.has(first, vars, "key", "value")

	i.Apps = i.Apps[1:]
	b.ensure(i)
	b.has(second, vars, "key", "value")
	b.refused(first, vars, "an app that has it attached no more")

	i.Apps = nil
	b.ensure(i)
	b.refused(second, vars, "an app, of one that is attached to none,")
	i.Apps = []provider.App{first.App()}
	b.ensure(i)
	b.has(first, vars, "key", "value")
}

// testCutShort ends each call at a later moment, until one goes well.
func testCutShort(b *bench) {
	app := b.NewApp(b.T)
	i := NewInstance(b.Service, b.Plan, app.App())
	i.AddOn.Options = b.Options
	b.Cleanup(func() {
		if err := b.Provider.Remove(context.Background(), i); err != nil {
			b.Error(err)
		}
	})
	for limit := time.Millisecond; ; limit = limit * 2 {
		ctx, cancel := context.WithTimeout(b.Context(), limit)
		err := b.Provider.Ensure(ctx, i, func(string) {})
		cancel()
		if err == nil {
			break
		}
		if limit > b.Limit {
			b.Fatal(err)
		}
		if renga.KindOf(err) == renga.Invalid {
			b.Fatalf("what was cut short after %s is said never to go well: %v", limit, err)
		}
	}
	b.grant(&i)
	b.set(app, b.vars(i, 0), "key", "value")
	b.has(app, b.vars(i, 0), "key", "value")
	for limit := time.Millisecond; ; limit = limit * 2 {
		ctx, cancel := context.WithTimeout(b.Context(), limit)
		err := b.Provider.Remove(ctx, i)
		cancel()
		if err == nil {
			break
		}
		if limit > b.Limit {
			b.Fatal(err)
		}
	}
	if left := b.Left(b.T, i); len(left) > 0 {
		b.Errorf("of what was cut short there is left: %q", left)
	}
}

func testRemove(b *bench) {
	app := b.NewApp(b.T)
	never := NewInstance(b.Service, b.Plan, app.App())
	if err := b.Provider.Remove(b.Context(), never); err != nil {
		b.Errorf("removing what never was: %v", err)
	}
	i := b.made(app)
	vars := b.vars(i, 0)
	b.set(app, vars, "key", "value")
	if len(b.Left(b.T, i)) == 0 {
		b.Error("nothing is seen of an add-on that is there")
	}
	for range 2 {
		if err := b.Provider.Remove(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
	if left := b.Left(b.T, i); len(left) > 0 {
		b.Errorf("there is left: %q", left)
	}
	b.refused(app, vars, "an app, of what was removed,")

	// One of the same name and id has none of its data.
	i.AddOn.State, i.AddOn.Credentials[0].State = renga.Provisioning, renga.CredentialNew
	b.ensure(i)
	b.grant(&i)
	if got, err := app.Get(b.Context(), vars, "key"); err == nil && got == "value" {
		b.Error("data outlive their add-on")
	}
}
