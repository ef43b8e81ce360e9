// Package sharedpostgres is the provider of small PostgreSQL plans: one server of
// each version for all of them, with a database and roles for each add-on.
//
// The server is made as another provider makes one of its own. It is there as long
// as an add-on is in it. It is in the networks of all apps that have such an add-on;
// what keeps their data apart are PostgreSQL's roles, none of which may connect to
// another's database or make others.
package sharedpostgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/locks"
)

// Name is what the catalogue calls this provider.
const Name = catalogue.SharedPostgres

// Server makes the servers.
type Server interface {
	provider.Provider
	provider.Checker
	provider.Connector
	provider.Runner
	// Rest stops a server that only keeps its data, until Ensure.
	Rest(ctx context.Context, i provider.Instance) error
}

// Store keeps the add-ons.
type Store interface {
	AddOns(ctx context.Context) ([]renga.AddOn, error)
	App(ctx context.Context, id renga.AppID) (renga.App, error)
}

// Catalogue finds the plans of add-ons.
type Catalogue interface {
	Plan(name string) (catalogue.Service, catalogue.Plan, error)
}

// Options are what a Provider works with.
type Options struct {
	Platform  string // its id: two platforms on one Docker have servers of their own
	Secret    []byte // the passwords of the servers' superusers are made of it
	Server    Server
	Store     Store
	Catalogue Catalogue
	Now       func() time.Time
}

// Provider makes databases in shared servers. Its methods may be called at once
// from several goroutines.
type Provider struct {
	Options
	serving locks.Named // by server: one change of it at a time
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Checker   = (*Provider)(nil)
	_ provider.Sharer    = (*Provider)(nil)
	_ provider.Upgrader  = (*Provider)(nil)
	_ provider.Connector = (*Provider)(nil)
	_ provider.Meter     = (*Provider)(nil)
)

// New makes a Provider. Nothing is started.
func New(o Options) *Provider { return &Provider{Options: o} }

// Check implements [provider.Checker].
func (p *Provider) Check(i provider.Instance) error { return p.Server.Check(i) }

// The size of a server: its plan is no one's who pays for a database in it.
const (
	serverMemory      = 1 << 30
	serverConnections = 500
)

// server is the server that an add-on's database is in.
func (p *Provider) server(i provider.Instance) provider.Instance {
	version := versionOf(i)
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:"+p.Platform+":"+i.Service.Name+":"+version))
	name := renga.SharedServerPrefix + version
	s := provider.Instance{
		AddOn: renga.AddOn{
			ID: renga.AddOnID(id.String()), Name: name, Host: name + renga.AddOnDomain, Service: i.Service.Name, Plan: "shared",
			State: renga.Provisioned, Admin: p.admin(id.String()),
		},
		Service: i.Service,
		Plan: catalogue.Plan{
			Name: "shared", HumanName: "Shared server", Provider: catalogue.Container, Memory: serverMemory,
			Connections: serverConnections,
		},
	}
	if chosen := i.AddOn.Options["version"]; chosen != "" {
		s.AddOn.Options = map[string]string{"version": chosen}
	}
	return s
}

// versionOf is the version of PostgreSQL that an add-on has.
func versionOf(i provider.Instance) string {
	if chosen := i.AddOn.Options["version"]; chosen != "" {
		return chosen
	}
	return i.Service.Version
}

// admin is the password of a server's superuser. It is the same after every start,
// and is stored nowhere.
func (p *Provider) admin(server string) renga.Secret {
	mac := hmac.New(sha256.New, p.Secret)
	mac.Write([]byte("superuser of the shared PostgreSQL " + server))
	return renga.Secret(hex.EncodeToString(mac.Sum(nil)))
}

// databases are the add-ons that have a database in a server: the one that serves, or
// one that an upgrade makes or keeps.
func (p *Provider) databases(ctx context.Context, server renga.AddOnID) (serving, others []renga.AddOn, err error) {
	all, err := p.Store.AddOns(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		service, plan, err := p.Catalogue.Plan(a.PlanName())
		if err != nil || plan.Provider != Name {
			continue
		}
		in := func(a renga.AddOn) bool {
			return p.server(provider.Instance{AddOn: a, Service: service, Plan: plan}).AddOn.ID == server
		}
		switch {
		case in(a):
			serving = append(serving, a)
		case a.Upgrade.HasOther() && in(a.At(a.Upgrade.Other)):
			others = append(others, a)
		}
	}
	return serving, others, nil
}

// sharers are the add-ons that have a database in the same server as i, but i
// itself: those that serve, and those that do not.
func (p *Provider) sharers(ctx context.Context, i provider.Instance) (serving, others []renga.AddOn, err error) {
	serving, others, err = p.databases(ctx, p.server(i).AddOn.ID)
	not := func(a renga.AddOn) bool { return a.ID == i.AddOn.ID || a.State == renga.Deprovisioned }
	return slices.DeleteFunc(serving, not), slices.DeleteFunc(others, not), err
}

// ensureServer brings the server of an add-on to where it answers all apps that
// have a database in it.
func (p *Provider) ensureServer(ctx context.Context, i provider.Instance, tell func(string)) (provider.Instance, error) {
	s := p.server(i)
	s.Apps = slices.Clone(i.Apps)
	others, _, err := p.sharers(ctx, i)
	if err != nil {
		return s, err
	}
	for _, a := range others {
		for _, id := range a.Apps() {
			if err := p.addApp(ctx, &s, id); err != nil {
				return s, err
			}
		}
	}
	slices.SortFunc(s.Apps, func(a, b provider.App) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return s, p.Server.Ensure(ctx, s, tell)
}

// addApp lets an app reach a server, unless it is gone.
func (p *Provider) addApp(ctx context.Context, s *provider.Instance, id renga.AppID) error {
	if slices.ContainsFunc(s.Apps, func(a provider.App) bool { return a.ID == id }) {
		return nil
	}
	app, err := p.Store.App(ctx, id)
	switch {
	case renga.KindOf(err) == renga.NotFound:
		return nil
	case err == nil && !app.Deleting:
		s.Apps = append(s.Apps, provider.App{ID: id, Name: app.Name})
	}
	return err
}

// Ensure implements [provider.Provider].
func (p *Provider) Ensure(ctx context.Context, i provider.Instance, tell func(step string)) error {
	s := p.server(i)
	defer p.serving.Lock(string(s.AddOn.ID))()
	s, err := p.ensureServer(ctx, i, tell)
	if err != nil {
		return err
	}
	return p.limit(ctx, s, i)
}

// limit has a database keep to its plan, which may have changed.
func (p *Provider) limit(ctx context.Context, s, i provider.Instance) error {
	var users []string
	for _, c := range i.AddOn.Credentials {
		if c.State == renga.CredentialActive {
			users = append(users, c.User)
		}
	}
	if len(users) == 0 {
		return nil // nothing is made yet
	}
	return p.sql(ctx, s, limitSQL(i, users...))
}
