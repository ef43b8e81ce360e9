package addons

import (
	"context"
	"slices"
	"strings"
	"time"

	"renga"
)

// endReplaced ends what was replaced and what no dyno has any more: credentials,
// and attachments that are leaving. Until then it asks to be called again.
func (s *Service) endReplaced(ctx context.Context, e entry) (again time.Duration, err error) {
	a := e.AddOn
	ended := map[int]bool{}
	for _, c := range a.Credentials {
		if c.State != renga.CredentialRevoking {
			continue
		}
		used, err := s.anyUses(ctx, a.Apps(), a.ID, string(c.Password))
		if err != nil {
			return 0, err
		}
		if used {
			again = soon
			continue
		}
		if err := e.by.Revoke(ctx, e.Instance, c); err != nil {
			return 0, err
		}
		ended[c.Version] = true
	}
	left := map[string]bool{}
	for _, at := range a.Attachments {
		if !at.Leaving {
			continue
		}
		used := a.AttachedTo(at.App)
		if !used {
			if used, err = s.anyUses(ctx, []renga.AppID{at.App}, a.ID, ""); err != nil {
				return 0, err
			}
			if used {
				again = soon
				continue
			}
		}
		left[at.ID] = true
	}
	return s.recordEnded(ctx, e, ended, left, again)
}

// recordEnded takes what has ended out of the record. Apps that have left must
// not reach the service any more, which the next look sees to.
func (s *Service) recordEnded(ctx context.Context, e entry, ended map[int]bool, left map[string]bool,
	again time.Duration) (time.Duration, error) {
	if len(ended)+len(left) == 0 {
		return again, nil
	}
	err := s.edit(ctx, e.AddOn.ID, func(a *renga.AddOn) error {
		a.Credentials = slices.DeleteFunc(a.Credentials, func(c renga.Credential) bool {
			return ended[c.Version] && c.State == renga.CredentialRevoking
		})
		a.Attachments = slices.DeleteFunc(a.Attachments, func(at renga.Attachment) bool { return left[at.ID] && at.Leaving })
		return nil
	})
	if err == nil && len(left) > 0 {
		again = time.Millisecond
	}
	return again, err
}

// anyUses tells whether any app has a release, new or serving or of a dyno, with
// a password of an add-on; or with anything of it if the password is empty.
func (s *Service) anyUses(ctx context.Context, apps []renga.AppID, id renga.AddOnID, password string) (bool, error) {
	for _, app := range apps {
		used, err := s.uses(ctx, app, id, password)
		if used || err != nil {
			return used, err
		}
	}
	return false, nil
}

// uses is anyUses of one app.
func (s *Service) uses(ctx context.Context, id renga.AppID, addOn renga.AddOnID, password string) (bool, error) {
	app, err := s.Apps.App(ctx, id)
	if renga.KindOf(err) == renga.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	versions, err := s.versionsInUse(ctx, app)
	if err != nil {
		return false, err
	}
	for _, version := range versions {
		rel, err := s.Releaser.Open(ctx, app, version)
		if err != nil {
			return false, err
		}
		if layer, ok := rel.Inputs.Credentials[addOn]; ok && holds(layer.Vars, password) {
			return true, nil
		}
	}
	return false, nil
}

// versionsInUse are the releases of which an app has dynos, or would start some.
func (s *Service) versionsInUse(ctx context.Context, app renga.App) ([]int, error) {
	newest, err := s.Releaser.Newest(ctx, app.ID)
	if err != nil {
		return nil, err
	}
	live, err := s.Apps.Live(ctx, app.ID)
	if err != nil {
		return nil, err
	}
	dynos, err := s.Apps.Dynos(ctx, app.ID)
	if err != nil {
		return nil, err
	}
	versions := []int{newest.Version, live.Version}
	for _, d := range dynos {
		versions = append(versions, d.Release)
	}
	slices.Sort(versions)
	return slices.Compact(versions), nil
}

// holds tells whether a password is in any value.
func holds(vars renga.Vars, password string) bool {
	for _, value := range vars {
		if strings.Contains(value, password) {
			return true
		}
	}
	return false
}
