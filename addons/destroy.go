package addons

import (
	"context"
	"slices"
	"time"

	"renga"
)

// Destroy removes an add-on with its data. It is renga.Invalid while other apps
// than its own have it attached, unless force is set. When this returns it is
// gone, or going.
func (s *Service) Destroy(ctx context.Context, id renga.AddOnID, force bool, by renga.AccountID) error {
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if !force && slices.ContainsFunc(a.Apps(), func(app renga.AppID) bool { return app != a.App && a.AttachedTo(app) }) {
			return renga.Errorf(renga.Invalid, "The add-on %s is attached to other apps; detach it from them first, or "+
				"force it.", a.Name)
		}
		beginRemoval(a, "")
		a.ChangedBy = by
		return nil
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}

// beginRemoval has an add-on removed. Nobody gets it any more from now on. why is
// the reason if it could not be made.
func beginRemoval(a *renga.AddOn, why string) {
	a.State, a.Fault, a.Step = renga.Deprovisioning, why, ""
	for i := range a.Attachments {
		a.Attachments[i].Leaving = true
	}
}

// RemoveOf has an app's add-ons removed, and takes those of other apps from it: it
// is being deleted.
func (s *Service) RemoveOf(ctx context.Context, app renga.AppID) error {
	all, err := s.Store.AddOnsOf(ctx, app)
	if err != nil {
		return err
	}
	for _, a := range all {
		err := s.edit(ctx, a.ID, func(x *renga.AddOn) error {
			if x.App == app {
				beginRemoval(x, "")
			}
			x.Attachments = slices.DeleteFunc(x.Attachments, func(at renga.Attachment) bool { return at.App == app })
			return nil
		})
		if err != nil && renga.KindOf(err) != renga.NotFound {
			return err
		}
		s.Look(a.ID)
	}
	return nil
}

// remove takes an add-on's credentials from all apps, then removes it with its
// data. One that could never be made is remembered for a while, with the reason.
func (s *Service) remove(ctx context.Context, a renga.AddOn) error {
	for _, app := range a.Apps() {
		if err := s.layer(ctx, app, a.ChangedBy); err != nil {
			return err
		}
	}
	e, err := s.planned(a)
	if err != nil {
		return err
	}
	if a.Upgrade.HasOther() {
		other := e.Instance
		other.AddOn = a.At(a.Upgrade.Other)
		if err := e.by.Remove(ctx, other); err != nil {
			return err
		}
	}
	if err := e.by.Remove(ctx, e.Instance); err != nil {
		return err
	}
	if a.Fault == "" {
		return s.Writer.RemoveAddOn(ctx, a.ID)
	}
	err = s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		x.State, x.Attachments, x.Credentials = renga.Deprovisioned, nil, nil
		return nil
	})
	s.queue.add(a.ID, keepFailed)
	return err
}

// forget removes the record of an add-on that could not be made, once it was
// there for long enough.
func (s *Service) forget(ctx context.Context, a renga.AddOn) (again time.Duration, err error) {
	if age := s.Now().Sub(a.UpdatedAt); age < keepFailed {
		return keepFailed - age, nil
	}
	return 0, s.Writer.RemoveAddOn(ctx, a.ID)
}
