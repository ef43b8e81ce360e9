package releaser

import (
	"context"
	"fmt"

	"renga"
)

// Registry removes what an app pushed.
type Registry interface {
	// RemoveApp removes every repository of the named app, its releases
	// included. It is no error when there are none.
	RemoveApp(ctx context.Context, name string) error
}

// Removable is what the Remover needs of the store.
type Removable interface {
	Apps(ctx context.Context) ([]renga.App, error)
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
	// RemoveApp removes all keys of the app, then frees its name; it may be
	// called again.
	RemoveApp(ctx context.Context, id renga.AppID) error
}

// AddOns removes what an app has of add-ons.
type AddOns interface {
	// RemoveOf has the add-ons removed that were made for an app, and takes those of
	// others from it. It may be called again.
	RemoveOf(ctx context.Context, app renga.AppID) error
}

// Belongings are what else is kept of an app, such as its source code.
type Belongings interface {
	// RemoveOf removes them. It may be called again.
	RemoveOf(ctx context.Context, app renga.AppID) error
}

// Remover deletes apps. It is apart from the Releaser, for it needs the
// registry, which needs the Releaser.
type Remover struct {
	store    Removable
	registry Registry
	addOns   AddOns
	releaser *Releaser
	further  []Belongings
}

// NewRemover makes a Remover, which removes what further ones keep of an app, too. Nothing
// is started.
func NewRemover(s Removable, reg Registry, addOns AddOns, rel *Releaser, further ...Belongings) *Remover {
	return &Remover{store: s, registry: reg, addOns: addOns, releaser: rel, further: further}
}

// DeleteApp marks the app as being deleted, so that pushes and changes are
// refused, then has its add-ons removed, then removes its repositories and what
// else is kept of it, then its records and its name. The dyno manager stops its dynos, for nobody wants them
// any more. After a crash
// in between Resume continues.
func (r *Remover) DeleteApp(ctx context.Context, id renga.AppID) error {
	if err := r.releaser.openRenames.refuse(id); err != nil {
		return err
	}
	_, err := r.store.UpdateApp(ctx, id, func(a *renga.App) error {
		a.Deleting = true
		return nil
	})
	if err != nil {
		return err
	}
	r.releaser.Runner.Reconcile(id)
	// A change that began before the mark must not write a release into what is
	// being removed; one that begins after it is refused.
	r.releaser.await(id)
	app, err := r.releaser.Apps.App(ctx, id) // by the name that the last change left
	if err != nil {
		return err
	}
	// A client that disconnects from here on must not leave half an app.
	return r.finish(context.WithoutCancel(ctx), app)
}

// Resume finishes the deletions that a crash cut short.
func (r *Remover) Resume(ctx context.Context) error {
	apps, err := r.store.Apps(ctx)
	if err != nil {
		return err
	}
	for _, app := range apps {
		if !app.Deleting {
			continue
		}
		if err := r.finish(ctx, app); err != nil {
			return err
		}
	}
	return nil
}

func (r *Remover) finish(ctx context.Context, app renga.App) error {
	if err := r.addOns.RemoveOf(ctx, app.ID); err != nil {
		return fmt.Errorf("remove add-ons of %s: %w", app.Name, err)
	}
	if err := r.registry.RemoveApp(ctx, app.Name); err != nil {
		return fmt.Errorf("remove repositories of %s: %w", app.Name, err)
	}
	for _, f := range r.further {
		if err := f.RemoveOf(ctx, app.ID); err != nil {
			return fmt.Errorf("remove what is kept of %s: %w", app.Name, err)
		}
	}
	if err := r.store.RemoveApp(ctx, app.ID); err != nil {
		return err
	}
	r.releaser.Log.Info("app deleted", "app", app.Name, "id", app.ID)
	r.releaser.Runner.Reconcile(app.ID)
	return nil
}
