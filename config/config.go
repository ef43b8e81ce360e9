// Package config sets apps' config vars. It means the app's configuration, as
// on Heroku and in the twelve factors; the server's own are called settings and
// live with the program.
//
// Config vars are stored only in releases: reading them opens the newest
// release, setting them makes the next one.
package config

import (
	"context"
	"maps"
	"slices"
	"strings"

	"renga"
)

// Releaser makes and opens releases.
type Releaser interface {
	Change(ctx context.Context, app renga.AppID, c renga.Change) (renga.Release, error)
	Newest(ctx context.Context, app renga.AppID) (renga.Release, error)
}

// Service reads and sets config vars.
type Service struct {
	releaser Releaser
}

// New makes a Service.
func New(r Releaser) *Service { return &Service{releaser: r} }

// Vars are the app's config vars, the add-ons' among them.
func (s *Service) Vars(ctx context.Context, app renga.AppID) (renga.Vars, error) {
	rel, err := s.releaser.Newest(ctx, app)
	if err != nil {
		return nil, err
	}
	return rel.Env(), nil
}

// SetVars sets the given config vars and removes those given as nil, all in one
// release, and returns the app's config vars after it. Other names keep their
// values. It is renga.Invalid, and nothing changes, if a name may not be set or
// all together are too large. Removing a name that does not exist is no error.
func (s *Service) SetVars(ctx context.Context, app renga.AppID, changes map[string]*string,
	by renga.AccountID) (renga.Vars, error) {
	for _, name := range sorted(changes) {
		if err := renga.ValidateVarName(name); err != nil {
			return nil, err
		}
	}
	rel, err := s.releaser.Change(ctx, app, renga.Change{
		Description: describe(changes), By: by,
		Edit: func(in *renga.Inputs) error { return apply(in, changes) },
	})
	if err != nil {
		return nil, err
	}
	return rel.Env(), nil
}

// apply edits the inputs. It refuses a name that an add-on sets, so that no
// name has two values.
func apply(in *renga.Inputs, changes map[string]*string) error {
	if held := slices.DeleteFunc(sorted(changes), func(name string) bool { return in.HeldBy(name) == "" }); len(held) > 0 {
		return renga.Errorf(renga.Invalid, "Cannot overwrite attachment values %s: an add-on sets them. Detach it to set "+
			"them yourself, or attach it under another name.", strings.Join(held, ", "))
	}
	for _, name := range sorted(changes) {
		if value := changes[name]; value != nil {
			in.Vars[name] = *value
		} else {
			delete(in.Vars, name)
		}
	}
	return renga.ValidateVars(in.Vars)
}

// describe describes the changes as Heroku does, without values: "Set A, B
// config vars", "Remove C config vars", or both.
func describe(changes map[string]*string) string {
	var set, removed []string
	for _, name := range sorted(changes) {
		if changes[name] != nil {
			set = append(set, name)
		} else {
			removed = append(removed, name)
		}
	}
	switch {
	case len(removed) == 0:
		return "Set " + list(set) + " config vars"
	case len(set) == 0:
		return "Remove " + list(removed) + " config vars"
	default:
		return "Set " + list(set) + " and remove " + list(removed) + " config vars"
	}
}

// list joins names; of many only the first, and how many more there are.
func list(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func sorted(changes map[string]*string) []string {
	return slices.Sorted(maps.Keys(changes))
}
