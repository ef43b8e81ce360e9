// Package addons makes add-ons, gives their credentials to apps, and keeps them
// as they are wanted.
//
// Everything that is asked for is written into the store first. Then, and
// whenever something happened, the add-on is looked at: [Service.look] goes from
// what the store says to the next steps, each of which may be repeated: its
// provider makes what is missing, new credentials are made known to it, each app
// concerned gets a release with them, and what was replaced ends once no dyno has
// it any more. So killing Renga anywhere loses nothing: every start looks at all
// add-ons.
package addons

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/locks"
)

// Store keeps add-ons, with their credentials and attachments.
type Store interface {
	AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error)
	AddOns(ctx context.Context) ([]renga.AddOn, error)
	// AddOnsOf are those that were made for the app or that it has attached.
	AddOnsOf(ctx context.Context, app renga.AppID) ([]renga.AddOn, error)
}

// Writer changes add-ons.
type Writer interface {
	// CreateAddOn is Conflict when the add-on's name is taken, or the name of one of
	// its attachments.
	CreateAddOn(ctx context.Context, a renga.AddOn) error
	// EditAddOns lets edit change several add-ons in one transaction, in place. It may
	// be called several times, and its error is the answer.
	EditAddOns(ctx context.Context, ids []renga.AddOnID, edit func(map[renga.AddOnID]*renga.AddOn) error) error
	RemoveAddOn(ctx context.Context, id renga.AddOnID) error
}

// Apps knows apps, and which releases they have dynos of.
type Apps interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	Dynos(ctx context.Context, app renga.AppID) ([]renga.Dyno, error)
	Live(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error)
	Formation(ctx context.Context, app renga.AppID) (renga.Formation, error)
}

// Releaser makes and opens releases.
type Releaser interface {
	Change(ctx context.Context, app renga.AppID, c renga.Change) (renga.Release, error)
	Newest(ctx context.Context, app renga.AppID) (renga.Release, error)
	Open(ctx context.Context, app renga.App, version int) (renga.Release, error)
}

// Catalogue knows the services.
type Catalogue interface {
	// Plan finds "service:plan", or the default plan of "service".
	Plan(name string) (catalogue.Service, catalogue.Plan, error)
}

// Logs are the apps' logs.
type Logs interface {
	Line(app renga.AppID, source, dyno, text string)
}

// Parts are what a Service works with.
type Parts struct {
	Store     Store
	Writer    Writer
	Apps      Apps
	Releaser  Releaser
	Catalogue Catalogue
	Providers map[string]provider.Provider // by the name that the catalogue calls them
	Logs      Logs
	Notes     Notes
	Log       *slog.Logger
	Now       func() time.Time
	NewID     func() string // a new UUID
}

// Service makes, changes and removes add-ons. Its methods may be called at once
// from several goroutines.
type Service struct {
	Parts
	layering locks.Named // by app: one change of its credentials at a time
	data     locks.Named // by add-on: a restore, or a step of an upgrade
	upgrades chan struct{}
	queue    *queue
	noted    *noted // is the Writer
}

// New makes a Service. Nothing is started: Run looks after the add-ons.
func New(p Parts) *Service {
	s := &Service{Parts: p, queue: newQueue(p.Now), upgrades: make(chan struct{}, upgradesAtOnce)}
	s.noted = &noted{Writer: p.Writer, s: s, kept: map[renga.AddOnID][sha256.Size]byte{}}
	s.Writer = s.noted
	return s
}

// entry is an add-on with what the catalogue says of it and who provides it.
type entry struct {
	provider.Instance
	by provider.Provider
}

// entryOf finds out who provides an add-on, and what is wanted of it.
func (s *Service) entryOf(ctx context.Context, a renga.AddOn) (entry, error) {
	e, err := s.planned(a)
	if err != nil {
		return entry{}, err
	}
	for _, id := range a.Apps() {
		app, err := s.Apps.App(ctx, id)
		switch {
		case renga.KindOf(err) == renga.NotFound:
		case err != nil:
			return entry{}, err
		case !app.Deleting:
			e.Apps = append(e.Apps, provider.App{ID: id, Name: app.Name})
		}
	}
	return e, nil
}

// planned is entryOf without the apps.
func (s *Service) planned(a renga.AddOn) (entry, error) {
	service, plan, err := s.Catalogue.Plan(a.PlanName())
	if err != nil {
		return entry{}, renga.Errorf(renga.Unavailable, "The catalogue of add-ons has no plan %s any more: put it back, "+
			"or change the plan of %s.", a.PlanName(), a.Name)
	}
	by, err := s.providerOf(service, plan)
	return entry{Instance: provider.Instance{AddOn: a, Service: service, Plan: plan}, by: by}, err
}

// providerOf is who provides a plan.
func (s *Service) providerOf(service catalogue.Service, plan catalogue.Plan) (provider.Provider, error) {
	name := plan.Provider
	if name == "" {
		name = service.Provider
	}
	by, ok := s.Providers[name]
	if !ok {
		return nil, renga.Errorf(renga.Unavailable, "No provider %q of add-ons runs here; the catalogue's file of %s names "+
			"one that does not exist.", name, service.Name)
	}
	return by, nil
}

// edit changes one add-on.
func (s *Service) edit(ctx context.Context, id renga.AddOnID, edit func(*renga.AddOn) error) error {
	return s.Writer.EditAddOns(ctx, []renga.AddOnID{id}, func(all map[renga.AddOnID]*renga.AddOn) error {
		return edit(all[id])
	})
}

// there is an error unless an add-on is there and is not being removed.
func there(a *renga.AddOn) error {
	if a.State == renga.Deprovisioning || a.State == renga.Deprovisioned {
		return renga.Errorf(renga.Invalid, "The add-on %s is being removed.", a.Name)
	}
	return nil
}
