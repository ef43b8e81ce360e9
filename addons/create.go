package addons

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// maxPerApp is how many add-ons may be made for one app.
const maxPerApp = 100

// Create has an add-on made for an app, and attached to it. It is being made when
// this returns; the app gets its config vars in a release once it answers. An
// attachment's name that another add-on has is renga.Unconfirmed without the app's
// name as confirmation.
func (s *Service) Create(ctx context.Context, app renga.App, r renga.AddOnRequest, by renga.AccountID) (
	renga.AddOn, error) {
	service, plan, err := s.Catalogue.Plan(r.Plan)
	if err != nil {
		return renga.AddOn{}, err
	}
	if err := ready(app); err != nil {
		return renga.AddOn{}, err
	}
	a := s.newAddOn(app, service, plan, r.Options, by)
	if err := s.check(a); err != nil {
		return renga.AddOn{}, err
	}
	a.Options = pinned(a.Options, service.Version)
	at, err := s.newAttachment(ctx, a, app, renga.AttachmentRequest{Name: r.Attachment, Confirm: r.Confirm})
	if err != nil {
		return renga.AddOn{}, err
	}
	a.Attachments = []renga.Attachment{at}
	if err := s.checkDisks(ctx, a, app.ID); err != nil {
		return renga.AddOn{}, err
	}
	if a, err = s.insert(ctx, a, cmp.Or(service.Prefix, service.Name), r.Name); err != nil {
		return renga.AddOn{}, err
	}
	s.say(a, fmt.Sprintf("%s of plan %s is being provisioned", a.Name, a.PlanName()))
	s.Look(a.ID)
	return a, nil
}

// ready is an error if an app is being deleted.
func ready(app renga.App) error {
	if app.Deleting {
		return renga.Errorf(renga.NotFound, "The app %s is being deleted.", app.Name)
	}
	return nil
}

// check is an error if an add-on can never be made as it is asked for.
func (s *Service) check(a renga.AddOn) error {
	e, err := s.planned(a)
	if err != nil {
		return err
	}
	if c, ok := e.by.(provider.Checker); ok {
		return c.Check(e.Instance)
	}
	return nil
}

// pinned are options with the version that the add-on is made in: data that one
// version has written stay with it when the catalogue offers another by default.
func pinned(options map[string]string, version string) map[string]string {
	if version == "" || options["version"] != "" {
		return options
	}
	all := map[string]string{}
	maps.Copy(all, options)
	all["version"] = version
	return all
}

// newAddOn is an add-on without a name.
func (s *Service) newAddOn(app renga.App, service catalogue.Service, plan catalogue.Plan, options map[string]string,
	by renga.AccountID) renga.AddOn {
	now := s.Now().UTC()
	return renga.AddOn{
		ID: renga.AddOnID(s.NewID()), App: app.ID, Service: service.Name, Plan: plan.Name, Options: options,
		State: renga.Provisioning, Admin: newSecret(), Generation: 1,
		Credentials: []renga.Credential{newCredential(renga.DefaultCredential, 1, now)},
		By:          by, ChangedBy: by, CreatedAt: now, UpdatedAt: now,
	}
}

// insert records a new add-on, under the name that was asked for or one that is
// free.
func (s *Service) insert(ctx context.Context, a renga.AddOn, prefix, name string) (renga.AddOn, error) {
	if name != "" {
		if err := renga.ValidateAddOnName(name); err != nil {
			return a, err
		}
	}
	for range attempts {
		a.Name = cmp.Or(name, newName(prefix))
		a.Host = a.Name + ".internal"
		err := s.Writer.CreateAddOn(ctx, a)
		if name != "" || renga.KindOf(err) != renga.Conflict {
			return a, err
		}
	}
	return a, renga.Errorf(renga.Conflict, "No free name was found; choose one with --name.")
}

// attempts bounds how often a change starts over because another one was faster.
const attempts = 5
