package apps

import (
	"context"
	"maps"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Vars reads and sets apps' config vars.
type Vars interface {
	Vars(ctx context.Context, app renga.AppID) (renga.Vars, error)
	// SetVars makes one release of all changes, of which nil removes, and returns
	// the config vars after it. Invalid for a bad name, or if they are too large.
	SetVars(ctx context.Context, app renga.AppID, changes map[string]*string, by renga.AccountID) (renga.Vars, error)
}

func (s *Server) configVarRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/config-vars", wire.ReadingSecrets, s.configVars),
		wire.Patch("/apps/{app}/config-vars", wire.SettingSecrets, s.updateConfigVars),
	}
}

func (s *Server) configVars(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	vars, err := s.parts.Vars.Vars(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	own, err := s.parts.BastionVars(r, a)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(withOwn(vars, own)))
}

// withOwn adds the caller's own config vars, unless the app has others of their names.
func withOwn(vars, own renga.Vars) renga.Vars {
	if len(own) == 0 {
		return vars
	}
	all := own.Clone()
	maps.Copy(all, vars)
	return all
}

func (s *Server) updateConfigVars(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	changes, err := wire.DecodeChanges(r)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return s.configVars(w, r)
	}
	vars, err := s.parts.Vars.SetVars(r.Context(), a.ID, changes, wire.Caller(r).ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "config vars set", a.Name, "vars", wire.Names(changes))
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(vars))
}
