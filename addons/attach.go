package addons

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"renga"
)

// Attach gives an add-on to an app, under a further name. The app has its config
// vars when this returns, unless the add-on is still being made. A name that
// another add-on has is taken from it if the app's name confirms that, and is
// renga.Unconfirmed otherwise.
func (s *Service) Attach(ctx context.Context, id renga.AddOnID, r renga.AttachmentRequest, by renga.AccountID) (
	renga.Attachment, error) {
	app, err := s.Apps.App(ctx, r.App)
	if err == nil {
		err = ready(app)
	}
	if err != nil {
		return renga.Attachment{}, err
	}
	a, err := s.Store.AddOn(ctx, id)
	if err != nil {
		return renga.Attachment{}, err
	}
	at, err := s.newAttachment(ctx, a, app, r)
	if err != nil {
		return at, err
	}
	further := a.Clone()
	further.Attachments = append(further.Attachments, at)
	if err := s.check(further); err != nil {
		return at, err
	}
	if err := s.checkDisks(ctx, further, app.ID); err != nil {
		return at, err
	}
	holder, err := s.holderOf(ctx, app.ID, at.Name)
	if err != nil {
		return at, err
	}
	ids := []renga.AddOnID{id}
	if holder != nil && holder.ID != id {
		ids = append(ids, holder.ID)
	}
	err = s.Writer.EditAddOns(ctx, ids, func(all map[renga.AddOnID]*renga.AddOn) error {
		if err := there(all[id]); err != nil {
			return err
		}
		for _, x := range all {
			letGo(x, at.App, at.Name)
		}
		all[id].Attachments = append(all[id].Attachments, at)
		all[id].ChangedBy = by
		return nil
	})
	if err != nil {
		return at, err
	}
	for _, other := range ids[1:] {
		s.Look(other)
	}
	return at, s.lookNow(ctx, id)
}

// newAttachment checks what was asked for, and chooses a name where none was, or
// where the one that was is another add-on's until this one answers.
func (s *Service) newAttachment(ctx context.Context, a renga.AddOn, app renga.App, r renga.AttachmentRequest) (
	renga.Attachment, error) {
	at := renga.Attachment{
		ID: s.NewID(), App: app.ID, Credential: cmp.Or(r.Credential, renga.DefaultCredential),
		CreatedAt: s.Now().UTC(), UpdatedAt: s.Now().UTC(),
	}
	if !slices.ContainsFunc(a.Credentials, func(c renga.Credential) bool {
		return c.Name == at.Credential && c.State != renga.CredentialRevoking
	}) {
		return at, renga.Errorf(renga.NotFound, "The add-on %s has no credential %q.", a.Name, renga.Clip(at.Credential, 40))
	}
	taken, err := s.takenNames(ctx, a, app)
	if err != nil {
		return at, err
	}
	if r.Name == "" {
		at.Name, err = s.chooseName(a, taken)
		return at, err
	}
	at.Name = strings.ToUpper(r.Name)
	if err := renga.ValidateAttachmentName(at.Name); err != nil {
		return at, err
	}
	if err := taken.permit(at.Name, app.Name, r.Confirm); err != nil {
		return at, err
	}
	if taken.holders[at.Name] != "" && a.Credential(at.Credential) == nil {
		at.Takes = at.Name
		at.Name, err = s.chooseName(a, taken)
	}
	return at, err
}

// chooseName is the name of an attachment for which none was asked.
func (s *Service) chooseName(a renga.AddOn, taken takenNames) (string, error) {
	service, _, err := s.Catalogue.Plan(a.PlanName())
	if err != nil {
		return "", err
	}
	return freeName(service.Attachment, cmp.Or(service.Alternative, service.Attachment), taken.has)
}

// takenNames are the names that an attachment cannot have in an app, or only from
// another add-on.
type takenNames struct {
	suffixes []string                 // of the config vars of the new attachment
	vars     renga.Vars               // set by hand
	holders  map[string]renga.AddOnID // by attachment
	own      renga.AddOnID
	count    int // add-ons of the app
}

func (s *Service) takenNames(ctx context.Context, a renga.AddOn, app renga.App) (takenNames, error) {
	newest, err := s.Releaser.Newest(ctx, app.ID)
	if err != nil {
		return takenNames{}, err
	}
	all, err := s.Store.AddOnsOf(ctx, app.ID)
	if err != nil {
		return takenNames{}, err
	}
	t := takenNames{vars: newest.Inputs.Vars, holders: map[string]renga.AddOnID{}, own: a.ID, count: len(all)}
	for _, x := range all {
		for _, at := range x.Attachments {
			if at.App == app.ID && !at.Leaving {
				t.holders[at.Name] = x.ID
			}
		}
	}
	if t.count >= maxPerApp {
		return t, renga.Errorf(renga.Invalid, "An app cannot have more than %d add-ons; remove one first.", maxPerApp)
	}
	t.suffixes, err = s.suffixesOf(a)
	return t, err
}

// suffixesOf are the ends of the config vars of an add-on's attachments.
func (s *Service) suffixesOf(a renga.AddOn) ([]string, error) {
	service, _, err := s.Catalogue.Plan(a.PlanName())
	if err != nil {
		return nil, err
	}
	var all []string
	for suffix := range service.Config {
		all = append(all, suffix)
	}
	slices.Sort(all)
	return all, nil
}

// byHand is the config var of a name that was set by hand; empty for none.
func (t takenNames) byHand(name string) string {
	for _, suffix := range t.suffixes {
		if _, set := t.vars[name+"_"+suffix]; set {
			return name + "_" + suffix
		}
	}
	return ""
}

// has tells whether a name cannot be chosen by the platform.
func (t takenNames) has(name string) bool {
	return t.holders[name] != "" || t.byHand(name) != ""
}

// permit is an error unless an attachment may have that name.
func (t takenNames) permit(name, app, confirm string) error {
	if by := t.byHand(name); by != "" {
		return renga.Errorf(renga.Invalid, "Config var %s is set by hand: remove it first, or choose another name with "+
			"--as.", by)
	}
	holder := t.holders[name]
	switch {
	case holder == "":
		return nil
	case holder == t.own:
		return renga.Errorf(renga.Invalid, "The add-on is attached as %s already.", name)
	case confirm != app:
		return renga.Errorf(renga.Unconfirmed, "The name %s is taken by another add-on of %s, which would be detached: "+
			"confirm with the name of the app.", name, app)
	}
	return nil
}

// holderOf finds the add-on that has an attachment's name in an app; nil for none.
func (s *Service) holderOf(ctx context.Context, app renga.AppID, name string) (*renga.AddOn, error) {
	all, err := s.Store.AddOnsOf(ctx, app)
	if err != nil {
		return nil, err
	}
	for i, a := range all {
		for _, at := range a.Attachments {
			if at.App == app && at.Name == name && !at.Leaving {
				return &all[i], nil
			}
		}
	}
	return nil, nil
}

// letGo has an add-on's attachment of a name leave an app.
func letGo(a *renga.AddOn, app renga.AppID, name string) {
	for i, at := range a.Attachments {
		if at.App == app && at.Name == name {
			a.Attachments[i].Leaving = true
		}
	}
}

// Detach takes an attachment from its app. The app's dynos do not have its config
// vars when this returns, or are being replaced.
func (s *Service) Detach(ctx context.Context, id renga.AddOnID, attachment string, by renga.AccountID) error {
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		at := a.Attachment(attachment)
		if at == nil || at.Leaving {
			return renga.Errorf(renga.NotFound, "Couldn't find that add-on attachment.")
		}
		at.Leaving, a.ChangedBy = true, by
		return nil
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}
