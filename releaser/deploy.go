package releaser

import (
	"cmp"
	"context"

	"renga"
)

// Deploy makes a release of stored images, by process type, and removes others.
// If that changes nothing it returns the newest release.
func (r *Releaser) Deploy(ctx context.Context, app renga.AppID, d renga.Deploy,
	by renga.AccountID) (renga.Release, error) {
	for _, images := range d.Images {
		if err := r.checkProvenance(ctx, app, renga.App{}, images); err != nil {
			return renga.Release{}, err
		}
	}
	return r.Change(ctx, app, renga.Change{
		Description: cmp.Or(d.Description, deployStoredName(d)), By: by, Deploys: true, Canary: d.Canary,
		Edit: func(in *renga.Inputs) error {
			deployStored(in, d)
			return nil
		},
	})
}

// checkProvenance asks whether images may become a release of an app. Those of a
// release before may again: a rollback is no way in.
func (r *Releaser) checkProvenance(ctx context.Context, id renga.AppID, from renga.App,
	images map[renga.ProcessType]renga.Image) error {
	if r.Provenance == nil {
		return nil
	}
	app, err := r.changeable(ctx, id)
	if err != nil {
		return err
	}
	return r.Provenance.CheckProvenance(ctx, app, from, images)
}

// Rerelease makes a new release with the inputs of the newest one. An empty
// description means a default one.
func (r *Releaser) Rerelease(ctx context.Context, app renga.AppID, description string, canary renga.Canary,
	by renga.AccountID) (renga.ReleaseRecord, error) {
	if description == "" {
		description = "Release again"
	}
	rel, err := r.change(ctx, appChange{app: app, always: true, Change: renga.Change{
		Description: description,
		By:          by,
		Canary:      canary,
		Edit:        func(*renga.Inputs) error { return nil },
	}})
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	return r.Store.Release(ctx, rel.App, rel.Version)
}
