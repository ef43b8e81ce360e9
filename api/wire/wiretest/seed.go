package wiretest

import (
	"context"
	"maps"
	"slices"
	"time"

	"renga"
	"renga/store"
)

// Seed is what a store has at first of apps and pipelines. Tests change it before
// it is written.
type Seed struct {
	Apps       map[renga.AppID]renga.App
	Releases   map[renga.AppID][]Release
	Formation  renga.Formation // hello's
	Dynos      []renga.Dyno    // hello's
	Pipelines  []renga.Pipeline
	Promotions []renga.Promotion
	AddOns     []renga.AddOn
}

// Release is a release with what the store keeps beside it.
type Release struct {
	renga.Release
	Outcome renga.Outcome
	Canary  renga.Canary
}

// NewSeed has the app hello with four releases, of which the third serves and the
// fourth failed, and the app other.
func NewSeed() *Seed {
	s := &Seed{
		Apps: map[renga.AppID]renga.App{
			Hello: {
				ID: Hello, Name: "hello", Owner: Ada.ID, ACM: true, Collaborators: With(Carol), CreatedAt: Born,
				UpdatedAt: Born,
			},
			Other: {ID: Other, Name: "other", Owner: Bob.ID, CreatedAt: Born, UpdatedAt: Born},
		},
		Releases:  map[renga.AppID][]Release{},
		Formation: renga.Formation{renga.Web: {Quantity: 1, Size: "standard-1x", CreatedAt: Born, UpdatedAt: Born}},
	}
	in := renga.Inputs{}.Clone()
	s.Add(Other, "Initial release", in)
	s.Add(Hello, "Initial release", in)
	in.Images[renga.Web] = Image(renga.Web, 2)
	s.Add(Hello, "Deploy 222222222222", in)
	in.Vars["COLOR"], in.Vars["SECRET"] = "red", Marker
	s.Add(Hello, "Set COLOR, SECRET config vars", in)
	in.Images[renga.Web], in.Images["worker"], in.Vars["COLOR"] = Image(renga.Web, 4), Image("worker", 4), "blue"
	s.Add(Hello, "Deploy 444444444444", in)
	s.Releases[Hello][3].Outcome = renga.Outcome{
		Status: renga.Failed, Reason: "web.1 exited with status 1.", Log: []string{"boom"}, At: Born.Add(time.Hour),
	}
	s.Dynos = []renga.Dyno{webDyno(2, renga.Starting, "it's"), webDyno(1, renga.Up)}
	return s
}

func webDyno(n int, state renga.DynoState, arguments ...string) renga.Dyno {
	return renga.Dyno{
		ID: "30000000-0000-4000-8000-00000000000" + string(rune('0'+n)), App: Hello, Name: renga.DynoName(renga.Web, n),
		Type: renga.Web, Size: "standard-1x", Release: 3, Command: append([]string{"/bin/app"}, arguments...),
		State: state, Since: Born, Created: Born,
	}
}

// Add adds the next release of an app, which succeeds.
func (s *Seed) Add(app renga.AppID, description string, in renga.Inputs) {
	n := len(s.Releases[app]) + 1
	at := Born.Add(time.Duration(n) * time.Minute)
	s.Releases[app] = append(s.Releases[app], Release{
		Release: renga.Release{
			App: app, Version: n, Inputs: in.Clone(), Description: description, By: Ada.ID, CreatedAt: at,
		},
		Outcome: renga.Outcome{Status: renga.Succeeded, At: at},
	})
}

// AddApp adds an app with its first release.
func (s *Seed) AddApp(a renga.App) {
	s.Apps[a.ID] = a
	s.Add(a.ID, "Initial release", renga.Inputs{}.Clone())
}

// Edit changes an app.
func (s *Seed) Edit(app renga.AppID, change func(*renga.App)) {
	a := s.Apps[app]
	change(&a)
	s.Apps[app] = a
}

// Share adds an app of Bob's that is shared with Ada.
func Share(s *Seed) {
	s.AddApp(renga.App{
		ID: Shared, Name: "shared", Owner: Bob.ID, CreatedAt: Born, UpdatedAt: Born, Collaborators: With(Ada),
	})
	in := renga.Inputs{}.Clone()
	in.Images[renga.Web] = Image(renga.Web, 2)
	s.Add(Shared, "Deploy 222222222222", in)
}

// write fills the store, and the ledger with the releases themselves.
func (s *Seed) write(ctx context.Context, db *store.Store, ledger *Ledger) {
	for _, id := range slices.Sorted(maps.Keys(s.Apps)) {
		a := s.Apps[id]
		a.Deleting = false // or no release could be written
		for _, rel := range s.Releases[id] {
			rel.AppName = a.Name
			rel.Release = ledger.add(rel.Release)
			s.writeRelease(ctx, db, a, rel)
		}
		if s.Apps[id].Deleting {
			_, err := db.UpdateApp(ctx, id, func(a *renga.App) error { a.Deleting = true; return nil })
			must(err)
		}
	}
	must(db.SaveDynos(ctx, Hello, s.Dynos))
	for _, p := range s.Pipelines {
		must(db.CreatePipeline(ctx, p))
	}
	for _, p := range s.Promotions {
		must(db.AddPromotion(ctx, p))
	}
	for _, a := range s.AddOns {
		must(db.CreateAddOn(ctx, a))
	}
}

func (s *Seed) writeRelease(ctx context.Context, db *store.Store, a renga.App, rel Release) {
	rec := rel.Record()
	rec.Outcome, rec.Canary = rel.Outcome, rel.Canary
	if rel.Version == 1 {
		must(db.CreateApp(ctx, a, rec))
		return
	}
	var formation renga.Formation
	if a.ID == Hello {
		formation = s.Formation
	}
	must(db.Commit(ctx, rec, "", formation))
}
