package addons

import (
	"context"

	"renga"
	"renga/addons/provider"
)

// checkDisks is an error if an app cannot have the disk that an add-on is: for
// another is in its place, or for more dynos run than may write to it.
func (s *Service) checkDisks(ctx context.Context, a renga.AddOn, app renga.AppID) error {
	e, err := s.planned(a)
	if err != nil {
		return err
	}
	disks, ok := e.by.(provider.Mounter)
	if !ok {
		return nil
	}
	mounts, err := disks.Mounts(e.Instance)
	if err != nil {
		return err
	}
	newest, err := s.Releaser.Newest(ctx, app)
	if err != nil {
		return err
	}
	others := newest.Inputs.Clone()
	delete(others.Credentials, a.ID)
	if err := renga.ValidateMounts(append(others.Mounts(), mounts...)); err != nil {
		return err
	}
	formation, err := s.Apps.Formation(ctx, app)
	if err != nil {
		return err
	}
	for t, scale := range formation {
		if renga.ValidateScale(mounts, t, scale.Quantity) != nil {
			return renga.Errorf(renga.Invalid, "One dyno writes the disk alone, and %d of %s run: scale %s to 1 first, or make the disk "+
				"with --shared true.", scale.Quantity, t, t)
		}
	}
	return nil
}
