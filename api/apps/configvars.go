package apps

import (
	"context"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Vars reads and sets apps' config vars.
type Vars interface {
	Vars(ctx context.Context, app renga.AppID) (renga.Vars, error)
	// SetVars makes one release of all changes and returns what holds then; nil
	// removes. Invalid when a name or the size is.
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
	return wire.Answer(w, http.StatusOK, wire.NewConfigVars(vars))
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
