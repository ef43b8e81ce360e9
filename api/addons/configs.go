package addons

import (
	"cmp"
	"net/http"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) configRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/addons/{addon}/config", wire.OnToken(renga.ScopeReadProtected).OrPartner(), s.config),
		// Not in Heroku's schema, and what its CLI asks before it attaches a credential.
		wire.Get("/addons/{addon}/config/{namespace}", wire.OnToken(renga.ScopeReadProtected), s.configOfCredential),
		wire.Post("/addons/{addon}/actions/rotate", wire.OnToken(renga.ScopeWriteProtected), s.rotate),
	}
}

// configVar is one config var of an add-on, with its value.
type configVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// config are the config vars that the app has of the add-on that it was made for;
// for its partner those that it has set.
func (s *Server) config(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if _, is := wire.PartnerOf(r); err == nil && is {
		return s.answerOwnConfig(w, r, a.ID)
	}
	if err == nil {
		err = v.permit(r, a, renga.MayDeploy, renga.MayOperate)
	}
	if err != nil {
		return err
	}
	newest, err := s.parts.Releases.Newest(r.Context(), a.App)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	vars := newest.Inputs.Credentials[a.ID].Vars
	all := make([]configVar, 0, len(vars))
	for _, name := range vars.Names() {
		all = append(all, configVar{Name: name, Value: vars[name]})
	}
	return wire.List(w, r, all, wire.By("name", func(c configVar) string { return c.Name }))
}

// configOfCredential names a credential that there is, and nothing secret of it:
// nothing else is asked for here.
func (s *Server) configOfCredential(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.addOnOf(r, renga.MayOperate)
	if err != nil {
		return err
	}
	name, err := credentialIn(mux.Vars(r)["namespace"])
	if err != nil {
		return err
	}
	all := []configVar{}
	if a.Credential(name) != nil {
		all = append(all, configVar{Name: credentialSpace + name})
	}
	return wire.Answer(w, http.StatusOK, all)
}

func (s *Server) rotate(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Credential string `json:"credential"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := s.rotateCredential(r, a, v, cmp.Or(body.Credential, renga.DefaultCredential)); err != nil {
		return err
	}
	return s.answerNow(w, r, a)
}

// rotateCredential replaces a credential, for those who may.
func (s *Server) rotateCredential(r *http.Request, a renga.AddOn, v view, credential string) error {
	if err := v.permit(r, a, renga.MayOperate); err != nil {
		return err
	}
	if err := s.parts.Maker.Rotate(r.Context(), a.ID, credential, wire.Caller(r).ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "credential rotated", v.apps[a.App].Name, "add-on", a.Name, "credential", credential)
	return nil
}
