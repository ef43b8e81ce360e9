package addons

import (
	"context"
	"regexp"
	"slices"

	"renga"
)

// Rename gives an add-on another name. Apps reach it by the same host as before.
func (s *Service) Rename(ctx context.Context, id renga.AddOnID, name string) error {
	if err := renga.ValidateAddOnName(name); err != nil {
		return err
	}
	return s.edit(ctx, id, func(a *renga.AddOn) error {
		a.Name = name
		return there(a)
	})
}

// ChangePlan gives an add-on another plan of its service. Its data stay.
func (s *Service) ChangePlan(ctx context.Context, id renga.AddOnID, plan string, by renga.AccountID) error {
	service, wanted, err := s.Catalogue.Plan(plan)
	if err != nil {
		return err
	}
	to, err := s.providerOf(service, wanted)
	if err != nil {
		return err
	}
	a, err := s.Store.AddOn(ctx, id)
	if err != nil {
		return err
	}
	e, err := s.planned(a)
	if err != nil {
		return err
	}
	switch {
	case a.Service != service.Name:
		return renga.Errorf(renga.Invalid, "%s is a %s and cannot become a %s.", a.Name, a.Service, service.Name)
	case e.by != to:
		return renga.Errorf(renga.Invalid, "%s cannot change from %s to %s in place, for they run on different servers. "+
			"Make a new add-on of that plan, and copy the data.", a.Name, a.PlanName(), renga.PlanName(service.Name, wanted.Name))
	}
	a.Plan = wanted.Name
	if err := s.check(a); err != nil {
		return err
	}
	err = s.edit(ctx, id, func(a *renga.AddOn) error {
		if err := there(a); err != nil {
			return err
		}
		if a.State == renga.Provisioning {
			return renga.Errorf(renga.Invalid, "%s is still being provisioned.", a.Name)
		}
		if a.Upgrade.UnderWay() {
			return underWay(*a)
		}
		a.Plan, a.ChangedBy = wanted.Name, by
		return nil
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}

// Rotate replaces a credential. Apps have the new one when this returns; the old
// one ends with the last dyno that has it.
func (s *Service) Rotate(ctx context.Context, id renga.AddOnID, credential string, by renga.AccountID) error {
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if err := there(a); err != nil {
			return err
		}
		if a.Credential(credential) == nil {
			return noCredential(a.Name, credential)
		}
		a.ChangedBy = by
		return s.addCredential(a, credential)
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}

func noCredential(addOn, credential string) error {
	return renga.Errorf(renga.NotFound, "The add-on %s has no credential %q.", addOn, renga.Clip(credential, 40))
}

// maxCredentials is how many an add-on may have, those that are to end included.
const maxCredentials = 20

// addCredential adds one that is to be granted.
func (s *Service) addCredential(a *renga.AddOn, name string) error {
	if len(a.Credentials) >= maxCredentials {
		return renga.Errorf(renga.Invalid, "The add-on %s has %d credentials, those among them that end with the last dyno "+
			"that has them: wait for them to end, or destroy one.", a.Name, maxCredentials)
	}
	a.Generation++
	a.Credentials = append(a.Credentials, newCredential(name, a.Generation, s.Now()))
	return nil
}

var credentialName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,49}$`)

// CreateCredential adds a credential of another name.
func (s *Service) CreateCredential(ctx context.Context, id renga.AddOnID, name string) error {
	if !credentialName.MatchString(name) {
		return renga.Errorf(renga.Invalid, "A credential's name must be up to 50 lowercase letters, digits, dashes and "+
			"underscores, a letter first.")
	}
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if slices.ContainsFunc(a.Credentials, func(c renga.Credential) bool { return c.Name == name }) {
			return renga.Errorf(renga.Invalid, "The add-on %s has a credential %s already.", a.Name, name)
		}
		if err := there(a); err != nil {
			return err
		}
		return s.addCredential(a, name)
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}

// DestroyCredential ends a credential that no app has attached.
func (s *Service) DestroyCredential(ctx context.Context, id renga.AddOnID, name string) error {
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if name == renga.DefaultCredential {
			return renga.Errorf(renga.Invalid, "The default credential cannot be destroyed; rotate it.")
		}
		if slices.ContainsFunc(a.Attachments, func(at renga.Attachment) bool {
			return at.Credential == name && !at.Leaving
		}) {
			return renga.Errorf(renga.Invalid, "The credential %s is attached to an app; detach it first.", name)
		}
		found := false
		for i, c := range a.Credentials {
			if c.Name == name {
				a.Credentials[i].State, found = renga.CredentialRevoking, true
			}
		}
		if !found {
			return noCredential(a.Name, name)
		}
		return there(a)
	})
	if err != nil {
		return err
	}
	return s.lookNow(ctx, id)
}
