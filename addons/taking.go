package addons

import (
	"context"

	"renga"
)

// takeNames gives attachments the names that they are to take from other add-ons,
// now that apps can have the credentials. So no release is without the name.
func (s *Service) takeNames(ctx context.Context, a renga.AddOn) (renga.AddOn, error) {
	for _, at := range a.Attachments {
		if at.Takes == "" || at.Leaving || a.Credential(at.Credential) == nil {
			continue
		}
		var err error
		if a, err = s.takeName(ctx, a, at); err != nil {
			return a, err
		}
	}
	return a, nil
}

// takeName moves one name, in one transaction.
func (s *Service) takeName(ctx context.Context, a renga.AddOn, at renga.Attachment) (renga.AddOn, error) {
	holder, err := s.holderOf(ctx, at.App, at.Takes)
	if err != nil {
		return a, err
	}
	ids := []renga.AddOnID{a.ID}
	if holder != nil && holder.ID != a.ID {
		ids = append(ids, holder.ID)
	}
	after := a
	err = s.Writer.EditAddOns(ctx, ids, func(all map[renga.AddOnID]*renga.AddOn) error {
		for _, x := range all {
			letGo(x, at.App, at.Takes)
		}
		if mine := all[a.ID].Attachment(at.ID); mine != nil {
			mine.Name, mine.Takes = at.Takes, ""
		}
		after = all[a.ID].Clone()
		return nil
	})
	for _, other := range ids[1:] {
		s.Look(other)
	}
	return after, err
}
