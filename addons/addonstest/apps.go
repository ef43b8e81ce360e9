package addonstest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"renga"
	"renga/store"
)

// Apps has the apps of a store, and their releases, which survive the room under
// test, as the registry does. Whatever is released serves at once, unless held.
type Apps struct {
	// Fault is asked before each release, if it is there; its error is the answer.
	Fault func() error

	db       *store.Store
	mu       sync.Mutex
	releases map[renga.AppID][]renga.Release
	live     map[renga.AppID]int // a release that goes on serving; 0 for the newest
	dynos    []renga.Dyno
	routine  []bool
}

// NewApps makes apps in the store, each with its first release.
func NewApps(t testing.TB, db *store.Store, owner renga.AccountID, names map[renga.AppID]string) *Apps {
	t.Helper()
	a := &Apps{db: db, releases: map[renga.AppID][]renga.Release{}, live: map[renga.AppID]int{}}
	for id, name := range names {
		addApp(t, db, id, name, owner)
		a.release(id, renga.Inputs{}.Clone(), "Initial release", owner)
	}
	return a
}

// App is an app.
func (a *Apps) App(ctx context.Context, id renga.AppID) (renga.App, error) { return a.db.App(ctx, id) }

// Formation is an app's.
func (a *Apps) Formation(ctx context.Context, app renga.AppID) (renga.Formation, error) {
	return a.db.Formation(ctx, app)
}

// Dynos are those that are held.
func (a *Apps) Dynos(context.Context, renga.AppID) ([]renga.Dyno, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.dynos), nil
}

// Live is the release that is held, or the newest.
func (a *Apps) Live(_ context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v := a.live[app]; v > 0 {
		return renga.ReleaseRecord{Version: v}, nil
	}
	return renga.ReleaseRecord{Version: len(a.releases[app])}, nil
}

// Change makes a release, unless it would be the same as the newest.
func (a *Apps) Change(ctx context.Context, app renga.AppID, c renga.Change) (renga.Release, error) {
	last, err := a.Newest(ctx, app)
	if err == nil && a.Fault != nil {
		err = a.Fault()
	}
	if err != nil {
		return last, err
	}
	a.noteRoutine(c.Routine)
	in := last.Inputs.Clone()
	if err := c.Edit(&in); err != nil || in.Equal(last.Inputs) {
		return last, err
	}
	return a.release(app, in, c.Description, c.By), nil
}

func (a *Apps) noteRoutine(routine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.routine = append(a.routine, routine)
}

// Routine tells of each change that was asked for whether only values change in it.
func (a *Apps) Routine() []bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.routine)
}

func (a *Apps) release(app renga.AppID, in renga.Inputs, description string, by renga.AccountID) renga.Release {
	a.mu.Lock()
	defer a.mu.Unlock()
	rel := renga.Release{App: app, Version: len(a.releases[app]) + 1, Inputs: in, Description: description, By: by}
	a.releases[app] = append(a.releases[app], rel)
	return rel
}

// Newest is an app's newest release.
func (a *Apps) Newest(ctx context.Context, app renga.AppID) (renga.Release, error) {
	return a.Open(ctx, renga.App{ID: app}, 0)
}

// Open is a release of an app; its newest for 0.
func (a *Apps) Open(_ context.Context, app renga.App, version int) (renga.Release, error) {
	all := a.Releases(app.ID)
	if len(all) == 0 {
		return renga.Release{}, renga.Errorf(renga.NotFound, "Couldn't find app %s.", app.ID)
	}
	if version == 0 {
		version = len(all)
	}
	return all[version-1], nil
}

// Releases are all of an app's, the newest last.
func (a *Apps) Releases(app renga.AppID) []renga.Release {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.releases[app])
}

// Last is the newest release of an app that is there.
func (a *Apps) Last(app renga.AppID) renga.Release {
	all := a.Releases(app)
	return all[len(all)-1]
}

// Env is what dynos of an app's newest release see.
func (a *Apps) Env(app renga.AppID) renga.Vars { return a.Last(app).Env() }

// Descriptions are those of an app's releases after the first.
func (a *Apps) Descriptions(app renga.AppID) []string {
	var all []string
	for _, rel := range a.Releases(app)[1:] {
		all = append(all, rel.Description)
	}
	return all
}

// Hold has a release go on serving, and dynos of those versions.
func (a *Apps) Hold(app renga.AppID, live int, dynos ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[app], a.dynos = live, nil
	for _, version := range dynos {
		a.dynos = append(a.dynos, renga.Dyno{App: app, Release: version})
	}
}

// Set sets config vars by hand.
func (a *Apps) Set(app renga.AppID, vars renga.Vars) {
	in := a.Last(app).Inputs.Clone()
	maps.Copy(in.Vars, vars)
	a.release(app, in, "Set config vars", "")
}
