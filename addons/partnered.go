package addons

import (
	"context"
	"maps"

	"renga"
	"renga/addons/catalogue"
)

// What follows is what an add-on's partner asks for over the API. It may do so
// before it has answered what it was asked itself: nothing here waits for a look,
// which may be waiting for the partner.

// SetConfig changes the config vars that a partner gives with its add-on, by their
// whole names; nil takes one away. Apps get them in a release once the add-on is
// provided.
func (s *Service) SetConfig(ctx context.Context, id renga.AddOnID, set map[string]*string) error {
	err := s.partnered(ctx, id, func(a *renga.AddOn, service catalogue.Service) error {
		config := maps.Clone(a.Partner.Config)
		if config == nil {
			config = map[string]renga.Secret{}
		}
		for name, value := range set {
			delete(config, name)
			if value != nil {
				config[name] = renga.Secret(*value)
			}
		}
		vars := renga.Vars{}
		for name, value := range config {
			vars[name] = string(value)
		}
		a.Partner.Config, a.ChangedBy = config, renga.Platform
		return service.CheckPartnerConfig(vars)
	})
	if err == nil {
		s.Look(id)
	}
	return err
}

// Provisioned takes note that a partner provides what it promised.
func (s *Service) Provisioned(ctx context.Context, id renga.AddOnID) error {
	err := s.partnered(ctx, id, func(a *renga.AddOn, _ catalogue.Service) error {
		a.Partner.State = renga.PartnerProvides
		return nil
	})
	if err == nil {
		s.Look(id)
	}
	return err
}

// Deprovisioned takes note that a partner does not provide an add-on, or no more:
// it is removed.
func (s *Service) Deprovisioned(ctx context.Context, id renga.AddOnID) error {
	var ended renga.AddOn
	err := s.partnered(ctx, id, func(a *renga.AddOn, service catalogue.Service) error {
		why := ""
		if a.State == renga.Provisioning {
			why = service.HumanName + " could not provide it."
		}
		ended = *a
		beginRemoval(a, why)
		return nil
	})
	if err == nil {
		s.say(ended, ended.Service+" has ended "+ended.Name)
		s.Look(id)
	}
	return err
}

// partnered changes an add-on that a partner provides, or was asked to.
func (s *Service) partnered(ctx context.Context, id renga.AddOnID,
	edit func(*renga.AddOn, catalogue.Service) error) error {
	return s.edit(ctx, id, func(a *renga.AddOn) error {
		if err := there(a); err != nil {
			return err
		}
		service, plan, err := s.Catalogue.Plan(a.PlanName())
		if err != nil {
			return err
		}
		if plan.Provider != catalogue.Partner || a.Partner.State == "" {
			return renga.Errorf(renga.Forbidden, "%s is not a partner's: the platform itself looks after it.", a.Name)
		}
		return edit(a, service)
	})
}
