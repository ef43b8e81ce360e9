package releaser

import (
	"cmp"
	"context"
	"fmt"

	"renga"
)

// Push makes a release of pushed images. It makes the app if there is none of
// that name; the caller has checked that the account may. A push that was
// released already, or that changes nothing, makes no release.
func (r *Releaser) Push(ctx context.Context, p renga.Push) error {
	app, err := r.appOf(ctx, p)
	if err != nil {
		return err
	}
	_, err = r.Change(ctx, app.ID, renga.Change{
		Description: cmp.Or(p.Description, deployName(p)), By: p.By, PushID: p.ID, Deploys: true,
		Edit: func(in *renga.Inputs) error {
			deploy(in, p.Images)
			return nil
		},
	})
	return err
}

// appOf finds the pushed app or makes it. If somebody has made it meanwhile,
// that must be the account that pushes: nobody has checked its permissions.
func (r *Releaser) appOf(ctx context.Context, p renga.Push) (renga.App, error) {
	if p.AppID != "" {
		return r.Apps.App(ctx, p.AppID)
	}
	app, err := r.Apps.AppByName(ctx, p.App)
	if renga.KindOf(err) == renga.NotFound {
		app, err = r.CreateApp(ctx, p.App, p.By)
		if renga.KindOf(err) == renga.Conflict { // it was just made
			app, err = r.Apps.AppByName(ctx, p.App)
		}
	}
	if err == nil && app.Owner != p.By {
		err = renga.Errorf(renga.Forbidden, "You do not have access to the app %s.", p.App)
	}
	return app, err
}

// CreateApp makes an app with its first release, which has no image. An empty
// name lets the platform invent one. Conflict when the name is taken.
func (r *Releaser) CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error) {
	if name == "" {
		name = inventName()
	}
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	defer r.naming.Lock(name)()
	if err := r.openRenames.refuseName(name); err != nil {
		return renga.App{}, err
	}
	// The ledger uses names: without this check the first release would overwrite
	// that of the app that has the name.
	_, err := r.Apps.AppByName(ctx, name)
	switch renga.KindOf(err) {
	case "":
		return renga.App{}, renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
	case renga.NotFound:
	default:
		return renga.App{}, err
	}
	now := r.Now().UTC()
	app := renga.App{ID: renga.AppID(r.NewID()), Name: name, Owner: by, CreatedAt: now, UpdatedAt: now}
	return app, r.first(ctx, app)
}

// first writes version 1 and records the app with it.
func (r *Releaser) first(ctx context.Context, app renga.App) error {
	v1 := renga.Release{
		App: app.ID, AppName: app.Name, Version: 1, Inputs: renga.Inputs{}.Clone(),
		Description: "Initial release", By: app.Owner, CreatedAt: app.CreatedAt,
	}
	digest, err := r.Ledger.Put(ctx, v1)
	if err != nil {
		return fmt.Errorf("write first release of %s: %w", app.Name, err)
	}
	if err := r.Owners.KeepOwner(ctx, app); err != nil {
		return fmt.Errorf("write owner of %s: %w", app.Name, err)
	}
	v1.Digest = digest
	record := v1.Record()
	record.Outcome = firstOutcome(v1)
	if err := r.Apps.CreateApp(ctx, app, record); err != nil {
		return err
	}
	r.Log.Info("app created", "app", app.Name, "id", app.ID, "by", app.Owner)
	r.logRelease(ctx, v1)
	r.Runner.Reconcile(app.ID) // its address exists from now on
	return nil
}
