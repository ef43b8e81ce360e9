package addons

import (
	"context"
	"net/http"
	"strings"

	"renga"
	"renga/api/wire"
)

// Partners takes note of what the partners of add-ons say of them.
type Partners interface {
	// SetConfig changes config vars, by their whole names; nil takes one away.
	SetConfig(ctx context.Context, id renga.AddOnID, set map[string]*string) error
	Provisioned(ctx context.Context, id renga.AddOnID) error
	Deprovisioned(ctx context.Context, id renga.AddOnID) error
}

// Grants lets partners in, and people into what partners provide.
type Grants interface {
	// Exchange gives tokens for the code of a grant, once; Renew for the token that
	// renews others. Unauthorized for those that are not good.
	Exchange(ctx context.Context, code, clientSecret string) (renga.PartnerTokens, error)
	Renew(ctx context.Context, refresh, clientSecret string) (renga.PartnerTokens, error)
	// SignOn makes the form with which a browser opens an add-on.
	SignOn(a renga.AddOn, app renga.App, who renga.Account) (renga.SignOn, error)
}

func (s *Server) partnerRoutes() []wire.Route {
	told := wire.OnToken(renga.ScopeWriteProtected).OrPartner()
	return []wire.Route{
		// Not in Heroku's schema, and what its documentation has partners call.
		wire.Post("/oauth/token", wire.Open, s.exchange),
		wire.Patch("/addons/{addon}/config", told, s.setConfig),
		wire.Post("/addons/{addon}/actions/provision", told, s.provisioned),
		wire.Post("/addons/{addon}/actions/deprovision", told, s.deprovisioned),
		// Not in Heroku's schema, and what its CLI asks in addons:open.
		wire.Get("/apps/{app}/addons/{addon}/sso", wire.SettingSecrets, s.signOn),
	}
}

// partnerTokens are a partner's tokens as JSON, in OAuth's form.
type partnerTokens struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
}

// exchange gives tokens to whoever knows a partner's secret, and something that
// only the partner of one add-on was given.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) error {
	var form struct {
		GrantType    string `json:"grant_type"`
		Code         string `json:"code"`
		RefreshToken string `json:"refresh_token"`
		ClientSecret string `json:"client_secret"`
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := wire.Decode(r, &form); err != nil {
			return err
		}
	} else if err := r.ParseForm(); err != nil {
		return wire.Invalid("The body must be a form, or JSON.")
	} else {
		values := r.PostForm
		form.GrantType, form.Code = values.Get("grant_type"), values.Get("code")
		form.RefreshToken, form.ClientSecret = values.Get("refresh_token"), values.Get("client_secret")
	}
	var tokens renga.PartnerTokens
	var err error
	switch form.GrantType {
	case "authorization_code":
		tokens, err = s.parts.Grants.Exchange(r.Context(), form.Code, form.ClientSecret)
	case "refresh_token":
		tokens, err = s.parts.Grants.Renew(r.Context(), form.RefreshToken, form.ClientSecret)
	default:
		err = wire.Invalid("Field %q must be authorization_code or refresh_token.", "grant_type")
	}
	if err != nil {
		return err
	}
	s.Audit(r, "partner's tokens given", "", "add-on", tokens.AddOn, "grant", form.GrantType)
	return wire.Answer(w, http.StatusOK, partnerTokens{
		AccessToken: string(tokens.Access), ExpiresIn: int(tokens.ExpiresIn.Seconds()),
		RefreshToken: string(tokens.Refresh), TokenType: "Bearer",
	})
}

// partnersOwn is the add-on of the path, for its partner, and for whoever operates
// its app in place of a partner that has gone.
func (s *Server) partnersOwn(r *http.Request) (renga.AddOn, view, error) {
	a, v, err := s.addOnOf(r)
	if _, is := wire.PartnerOf(r); err == nil && !is {
		err = v.permit(r, a, renga.MayOperate)
	}
	return a, v, err
}

func (s *Server) setConfig(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.partnersOwn(r)
	if err != nil {
		return err
	}
	var body struct {
		Config []struct {
			Name  string  `json:"name"`
			Value *string `json:"value"`
		} `json:"config"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	set := map[string]*string{}
	for _, one := range body.Config {
		set[one.Name] = one.Value
	}
	if err := s.parts.Partners.SetConfig(r.Context(), a.ID, set); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "partner set config vars", v.apps[a.App].Name, "add-on", a.Name, "count", len(set))
	return s.answerOwnConfig(w, r, a.ID)
}

// answerOwnConfig answers with an add-on's config vars as its partner calls them.
func (s *Server) answerOwnConfig(w http.ResponseWriter, r *http.Request, id renga.AddOnID) error {
	a, err := s.parts.AddOns.AddOn(r.Context(), id)
	if err != nil {
		return s.orMissing(err)
	}
	all := []configVar{}
	for name, value := range a.Partner.Config {
		all = append(all, configVar{Name: name, Value: string(value)})
	}
	return wire.List(w, r, all, wire.By("name", func(c configVar) string { return c.Name }))
}

func (s *Server) provisioned(w http.ResponseWriter, r *http.Request) error {
	return s.tell(w, r, "partner provides", s.parts.Partners.Provisioned)
}

func (s *Server) deprovisioned(w http.ResponseWriter, r *http.Request) error {
	return s.tell(w, r, "partner deprovisioned", s.parts.Partners.Deprovisioned)
}

// tell has the room take note of what a partner says.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, what string,
	note func(context.Context, renga.AddOnID) error) error {
	a, v, err := s.partnersOwn(r)
	if err != nil {
		return err
	}
	if err := note(r.Context(), a.ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, what, v.apps[a.App].Name, "add-on", a.Name)
	return s.answer(w, r, http.StatusOK, a, v)
}

// signOn is a form as JSON, as Heroku's CLI reads it.
type signOn struct {
	Action string            `json:"action"`
	Method string            `json:"method"`
	Params map[string]string `json:"params"`
}

func (s *Server) signOn(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.addOnOf(r, renga.MayOperate)
	if err != nil {
		return err
	}
	form, err := s.parts.Grants.SignOn(a, wire.InfoOf(r).Target, wire.Caller(r))
	if err != nil {
		return err
	}
	s.Audit(r, "add-on opened at its partner", wire.InfoOf(r).Target.Name, "add-on", a.Name)
	return wire.Answer(w, http.StatusOK, signOn{Action: form.Action, Method: "post", Params: form.Fields})
}
