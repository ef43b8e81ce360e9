package addons

import (
	"context"
	"io"
	"maps"

	"renga"
)

// Try restores a dump of an add-on's into a service like it that no app has, and asks
// whether that answers. Discard removes it, whatever came of it.
func (s *Service) Try(ctx context.Context, like renga.AddOn, scratch renga.AddOnID, from io.Reader) error {
	by, _, err := s.archiver(like)
	if err != nil {
		return err
	}
	e, err := s.planned(s.scratchOf(like, scratch))
	if err != nil {
		return err
	}
	untold := func(string) {}
	if err := e.by.Ensure(ctx, e.Instance, untold); err != nil {
		return err
	}
	if err := e.by.Grant(ctx, e.Instance, e.AddOn.Credentials[0]); err != nil {
		return err
	}
	e.AddOn.State, e.AddOn.Credentials[0].State = renga.Provisioned, renga.CredentialActive
	if err := by.Restore(ctx, e.Instance, from); err != nil {
		return err
	}
	return e.by.Ensure(ctx, e.Instance, untold)
}

// Discard removes what Try made, and is no error when that is gone.
func (s *Service) Discard(ctx context.Context, like renga.AddOn, scratch renga.AddOnID) error {
	e, err := s.planned(s.scratchOf(like, scratch))
	if err != nil {
		return err
	}
	return e.by.Remove(ctx, e.Instance)
}

// scratchOf is an add-on that is in no store, of the same making as another.
func (s *Service) scratchOf(like renga.AddOn, id renga.AddOnID) renga.AddOn {
	name, now := "scratch-"+string(id)[:8], s.Now().UTC()
	return renga.AddOn{
		ID: id, Name: name, Host: name + renga.AddOnDomain, Service: like.Service, Plan: like.Plan,
		Options: maps.Clone(like.Options), State: renga.Provisioning, Admin: newSecret(), Generation: 1,
		Credentials: []renga.Credential{newCredential(renga.DefaultCredential, 1, now)}, CreatedAt: now,
	}
}
