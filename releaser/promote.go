package releaser

import (
	"context"

	"renga"
)

// Promote makes a release of the target app with the images that serve in the
// source app, by the same digests, and with the target's own config vars and
// add-ons. The images become the target's as well: the source may be deleted
// afterwards. There is always a new release. Invalid when the source has no
// image that serves.
func (r *Releaser) Promote(ctx context.Context, source, target renga.AppID, by renga.AccountID) (renga.ReleaseRecord, error) {
	from, live, err := r.serving(ctx, source)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	rel, err := r.promote(ctx, from, live, target, by)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	return r.Store.Release(ctx, rel.App, rel.Version)
}

// serving is the app's release that serves, which must have an image.
func (r *Releaser) serving(ctx context.Context, id renga.AppID) (renga.App, renga.ReleaseRecord, error) {
	app, err := r.living(ctx, id)
	if err != nil {
		return renga.App{}, renga.ReleaseRecord{}, err
	}
	live, err := r.Store.Live(ctx, id)
	if err == nil && len(live.Images) == 0 {
		err = renga.Errorf(renga.Invalid, "%s has no release with an image that was up once, so there is nothing to promote. Push an image to it first.", app.Name)
	}
	return app, live, err
}

// promote links the images and makes the release, as one change of the target.
func (r *Releaser) promote(ctx context.Context, from renga.App, live renga.ReleaseRecord, target renga.AppID, by renga.AccountID) (renga.Release, error) {
	defer r.changing.lock(string(target))()
	to, err := r.living(ctx, target)
	if err != nil {
		return renga.Release{}, err
	}
	if err := r.Ledger.Link(ctx, from.Name, to.Name, live.Images); err != nil {
		return renga.Release{}, err
	}
	return r.tryNext(ctx, target, renga.Change{
		Description: promoteName(from, live), By: by,
		Edit: func(in *renga.Inputs) error {
			promote(in, to, live.Images)
			return nil
		},
	}, true)
}
