package releaser

import (
	"context"
	"fmt"

	"renga"
)

// maxRescueDepth bounds how far back a good release is looked for.
const maxRescueDepth = 50

// Rescue takes an app back from a release that does not hold, to the newest one
// before it that can be rolled back to. It does nothing if version is no longer
// the newest, for then somebody has acted already, if there is no such release,
// or if the app has the feature switched off.
func (r *Releaser) Rescue(ctx context.Context, id renga.AppID, version int, reason string) error {
	defer r.changing.Lock(string(id))()
	app, err := r.changeable(ctx, id)
	if err != nil || !app.FeatureOn(renga.RollbackOnCrash) {
		return err
	}
	head, err := r.Store.Head(ctx, id)
	if err != nil || head.Version != version {
		return err
	}
	good, err := r.lastGood(ctx, app, version)
	if err != nil || good.Version == 0 {
		return err
	}
	target, err := r.Ledger.Get(ctx, app, good.Digest)
	if err != nil {
		return err
	}
	_, err = r.changeLocked(ctx, appChange{app: id, always: true, Change: renga.Change{
		Description: fmt.Sprintf("Rollback to v%d: v%d did not hold: %s", good.Version, version, reason),
		By:          renga.Platform,
		Edit: func(in *renga.Inputs) error {
			rollBackInputs(in, target.Inputs, renga.RollbackAll)
			return nil
		},
	}})
	return err
}

// lastGood finds the newest release before version that can be rolled back to;
// the zero record when there is none.
func (r *Releaser) lastGood(ctx context.Context, app renga.App, version int) (renga.ReleaseRecord, error) {
	for v := version - 1; v > 0 && v >= version-maxRescueDepth; v-- {
		record, err := r.Store.Release(ctx, app.ID, v)
		if err != nil {
			return renga.ReleaseRecord{}, err
		}
		switch err := r.Eligible(ctx, app, record); renga.KindOf(err) {
		case "":
			return record, nil
		case renga.Invalid, renga.NotFound:
		default:
			return renga.ReleaseRecord{}, err
		}
	}
	return renga.ReleaseRecord{}, nil
}
