package releaser

import (
	"context"
	"sync"
	"time"

	"renga"
)

// Namer renames apps in the store.
type Namer interface {
	// RenameApp is all or nothing, and doing it again is no error; Conflict when
	// the name is taken.
	RenameApp(ctx context.Context, id renga.AppID, name string) (renga.App, error)
}

// Mover renames an app's repositories. From BeginMove on they are found under
// both names, until EndMove or UndoMove has returned nil.
type Mover interface {
	// Hold keeps everybody away from the repositories of two names.
	Hold(ctx context.Context, a, b string, do func() error) error
	// BeginMove writes the rename down. It is renga.Conflict if the new name has
	// repositories.
	BeginMove(ctx context.Context, m renga.Rename) error
	EndMove(ctx context.Context, m renga.Rename) error
	UndoMove(ctx context.Context, m renga.Rename) error
	// Moves lists the renames that were begun and not ended.
	Moves(ctx context.Context) ([]renga.Rename, error)
}

// Renamer renames apps. It is apart from the Releaser, for it needs the
// registry, which needs the Releaser.
//
// An app's name is in two places: the store says which app has it, and the
// registry keeps the app's repositories under it, where a recovery finds it. No
// single step changes both. So the registry first writes the rename down and
// lets the repositories be found under both names; then the store changes the
// name; then the registry moves the repositories to the new one. Whatever
// happens in between, doing the last two steps again ends it; until then
// changes of the app are refused.
type Renamer struct {
	store    Namer
	registry Mover
	releaser *Releaser
}

// settleEvery is how often renames that an outage left are tried again.
const settleEvery = 2 * time.Second

// NewRenamer makes a Renamer. Nothing is started.
func NewRenamer(s Namer, reg Mover, rel *Releaser) *Renamer {
	return &Renamer{store: s, registry: reg, releaser: rel}
}

// Rename gives an app another name. Its dynos run on. Conflict when the name is
// taken, Unavailable when the end of it has to wait.
func (r *Renamer) Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	app, err := r.releaser.changeable(ctx, id)
	if err != nil || app.Name == name {
		return app, err
	}
	ctx = context.WithoutCancel(ctx) // a client that goes away must not leave it half done
	m := renga.Rename{App: id, From: app.Name, To: name}
	err = r.exclusively(ctx, m, func() error {
		if err := r.begin(ctx, m); err != nil {
			return err
		}
		app, err = r.settle(ctx, m)
		return err
	})
	return app, err
}

// Resume ends what a crash or an outage cut short. What still cannot be ended
// is tried again by Run.
func (r *Renamer) Resume(ctx context.Context) error {
	left, err := r.registry.Moves(ctx)
	for _, m := range left {
		err := r.exclusively(ctx, m, func() error {
			_, err := r.settle(ctx, m)
			return err
		})
		if err != nil {
			r.releaser.Log.Warn("rename not ended", "app", m.From, "to", m.To, "err", err)
		}
	}
	return err
}

// Run ends what an outage left until ctx ends; it then returns nil.
func (r *Renamer) Run(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !r.releaser.openRenames.any() {
			continue
		}
		if err := r.Resume(ctx); err != nil {
			r.releaser.Log.Error("renames not read", "err", err)
		}
	}
}

// exclusively calls do while nobody pushes to either name, makes an app of
// either name, or changes the app.
func (r *Renamer) exclusively(ctx context.Context, m renga.Rename, do func() error) error {
	return r.registry.Hold(ctx, m.From, m.To, func() error {
		defer r.releaser.naming.Lock(min(m.From, m.To))()
		defer r.releaser.naming.Lock(max(m.From, m.To))()
		defer r.releaser.changing.Lock(string(m.App))()
		return do()
	})
}

// begin checks that the rename is possible and writes it down.
func (r *Renamer) begin(ctx context.Context, m renga.Rename) error {
	app, err := r.releaser.changeable(ctx, m.App)
	if err == nil && app.Name != m.From {
		err = renga.Errorf(renga.Conflict, "The app %s was just renamed to %s; try again.", m.From, app.Name)
	}
	if err == nil {
		err = r.releaser.openRenames.refuseName(m.To)
	}
	if err != nil {
		return err
	}
	switch _, err := r.releaser.Apps.AppByName(ctx, m.To); renga.KindOf(err) {
	case "":
		return renga.Errorf(renga.Conflict, "Name %s is already taken.", m.To)
	case renga.NotFound:
		return r.registry.BeginMove(ctx, m)
	default:
		return err
	}
}

// settle ends a rename that was begun: forward, or back when the store refuses
// it.
func (r *Renamer) settle(ctx context.Context, m renga.Rename) (renga.App, error) {
	app, err := r.store.RenameApp(ctx, m.App, m.To)
	final := err // what there is no use in trying again
	switch renga.KindOf(err) {
	case "":
		err = r.registry.EndMove(ctx, m)
	case renga.Conflict, renga.NotFound, renga.Invalid:
		err = r.registry.UndoMove(ctx, m)
	}
	if err != nil {
		r.releaser.openRenames.add(m)
		return renga.App{}, &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "The app " + m.From + " could not be renamed to " + m.To +
				" now. That is ended as soon as it can be; until then the app takes no change."}
	}
	r.releaser.openRenames.remove(m)
	if final != nil {
		return renga.App{}, final
	}
	r.releaser.Log.Info("app renamed", "app", m.To, "from", m.From, "id", m.App)
	r.releaser.Runner.Reconcile(m.App)
	return app, nil
}

// openRenames are the renames that were begun and could not be ended yet.
type openRenames struct {
	mu    sync.Mutex
	moves map[renga.AppID]renga.Rename
}

func (u *openRenames) add(m renga.Rename) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.moves == nil {
		u.moves = map[renga.AppID]renga.Rename{}
	}
	u.moves[m.App] = m
}

func (u *openRenames) remove(m renga.Rename) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.moves, m.App)
}

func (u *openRenames) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.moves) > 0
}

// refuse is an error while the app's rename waits.
func (u *openRenames) refuse(app renga.AppID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m, waits := u.moves[app]; waits {
		return renga.Errorf(renga.Unavailable, "The app %s is being renamed to %s; try again in a moment.", m.From, m.To)
	}
	return nil
}

// refuseName is an error while a rename from or to the name waits.
func (u *openRenames) refuseName(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, m := range u.moves {
		if m.From == name || m.To == name {
			// The account may have no permission on the app, so it must not learn its
			// other name.
			return renga.Errorf(renga.Unavailable, "An app is being renamed from or to %s; try again in a moment.", name)
		}
	}
	return nil
}
