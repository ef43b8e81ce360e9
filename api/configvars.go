package api

import (
	"context"
	"encoding/json"
	"net/http"

	"renga"
)

// Vars reads and sets apps' config vars.
type Vars interface {
	Vars(ctx context.Context, app renga.AppID) (renga.Vars, error)
	// SetVars makes one release of all changes and returns what holds then; nil
	// removes. Invalid when a name or the size is.
	SetVars(ctx context.Context, app renga.AppID, changes map[string]*string, by renga.AccountID) (renga.Vars, error)
}

func (s *Server) configVarRoutes() []Route {
	return []Route{
		Get("/apps/{app}/config-vars", ReadingSecrets, s.configVars),
		Patch("/apps/{app}/config-vars", SettingSecrets, s.updateConfigVars),
		Get("/apps/{app}/releases/{release}/config-vars", ReadingSecrets, s.releaseConfigVars),
	}
}

// newConfigVars puts config vars on the wire, values and all: this is the one
// answer they are for.
func newConfigVars(v renga.Vars) map[string]string { return v.Clone() }

func (s *Server) configVars(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	vars, err := s.parts.Vars.Vars(r.Context(), a.ID)
	if err != nil {
		return orNotFound(err, "app")
	}
	return answer(w, http.StatusOK, newConfigVars(vars))
}

// releaseConfigVars shows the whole environment of a release, the add-ons' vars
// among it, as configVars does for now.
func (s *Server) releaseConfigVars(w http.ResponseWriter, r *http.Request) error {
	a, version, err := s.releaseOf(r)
	if err != nil {
		return err
	}
	rel, err := s.parts.Releaser.Open(r.Context(), a, version)
	if err != nil {
		return orNotFound(err, "release")
	}
	return answer(w, http.StatusOK, newConfigVars(rel.Env()))
}

func (s *Server) updateConfigVars(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	changes, err := decodeChanges(r)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return s.configVars(w, r)
	}
	vars, err := s.parts.Vars.SetVars(r.Context(), a.ID, changes, caller(r).ID)
	if err != nil {
		return orNotFound(err, "app")
	}
	s.Audit(r, "config vars set", a.Name, "vars", names(changes))
	return answer(w, http.StatusOK, newConfigVars(vars))
}

// decodeChanges reads the config vars to set, and to remove where they are
// null. A value that is no string is refused by its name: 1 and "1" may mean
// different things to whoever wrote them.
func decodeChanges(r *http.Request) (map[string]*string, error) {
	var body map[string]json.RawMessage
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	changes := make(map[string]*string, len(body))
	for _, name := range names(body) {
		var value *string
		if json.Unmarshal(body[name], &value) != nil {
			return nil, invalid("Config var %q must be a string, or null to remove it.", clip(name))
		}
		changes[name] = value
	}
	return changes, nil
}
