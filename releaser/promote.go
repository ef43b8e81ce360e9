package releaser

import (
	"context"

	"renga"
)

// Promotable is the app's live release, whose images a promotion takes. It is
// renga.Invalid if there is none with an image.
func (r *Releaser) Promotable(ctx context.Context, id renga.AppID) (renga.ReleaseRecord, error) {
	app, err := r.changeable(ctx, id)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	live, err := r.Store.Live(ctx, id)
	if err == nil && len(live.Images) == 0 {
		err = renga.Errorf(renga.Invalid, "%s has no release with an image that was up once, so there is nothing to "+
			"promote. Push an image to it first.", app.Name)
	}
	return live, err
}

// Promote makes a release of the target app with the images of the source app's
// release, by the same digests, and with the target's own config vars and
// add-ons. The images become the target's as well, so the source may be deleted
// afterwards. There is always a new release, but only one for each target's id.
func (r *Releaser) Promote(ctx context.Context, p renga.Promotion, t renga.PromotionTarget) (renga.Release, error) {
	defer r.changing.Lock(string(t.App))()
	to, err := r.changeable(ctx, t.App)
	if err != nil {
		return renga.Release{}, err
	}
	if done, rel, err := r.replayed(ctx, to, t.ChangeID()); done || err != nil {
		return rel, err
	}
	from, err := r.changeable(ctx, p.Source)
	if err != nil {
		return renga.Release{}, err
	}
	if err := renga.MayPromote(from, to, p.By); err != nil { // a right may have ended since it was asked for
		return renga.Release{}, err
	}
	taken, err := r.Store.Release(ctx, p.Source, p.Release)
	if err != nil {
		return renga.Release{}, err
	}
	if err := r.checkProvenance(ctx, to.ID, from, taken.Images); err != nil {
		return renga.Release{}, err
	}
	if err := r.Ledger.Link(ctx, from.Name, to.Name, taken.Images); err != nil {
		return renga.Release{}, err
	}
	return r.changeLocked(ctx, appChange{app: t.App, always: true, Change: renga.Change{
		Description: promoteName(from, taken),
		By:          p.By,
		PushID:      t.ChangeID(),
		Deploys:     true,
		Edit: func(in *renga.Inputs) error {
			promote(in, to, taken.Images)
			return nil
		},
	}})
}
