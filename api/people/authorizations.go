package people

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Authorizations keeps the authorizations of accounts.
type Authorizations interface {
	UpdateAuthorization(
		ctx context.Context, account renga.AccountID, id string, edit func(*renga.Authorization) error,
	) (renga.Authorization, error)
	DeleteAuthorization(ctx context.Context, account renga.AccountID, id string) error
}

// Logins makes tokens.
type Logins interface {
	// Authorize makes an authorization for the bearer, with the description, the
	// scopes, the lifetime and the app that are asked for. It is a login if they came
	// with a password. Without a lifetime it never expires. Its token is returned here
	// only.
	Authorize(ctx context.Context, by renga.Bearer, asked renga.Authorization) (renga.Authorization, string, error)
	// Regenerate gives an authorization another token; NotFound if it does not
	// exist.
	Regenerate(ctx context.Context, account renga.AccountID, id string) (renga.Authorization, string, error)
	// ChangePassword ends all logins with the old password but the bearer's.
	// Unauthorized if current is wrong, TooMany after too many failures.
	ChangePassword(ctx context.Context, by renga.Bearer, current, next, from string) error
}

func (s *Server) authorizationRoutes() []wire.Route {
	const one = wire.AuthorizationsPath + "/{authorization}"
	return []wire.Route{
		wire.Get(wire.AuthorizationsPath, wire.WholeToken, s.listAuthorizations),
		wire.Post(wire.AuthorizationsPath, wire.WholeToken, s.createAuthorization),
		wire.Get(one, wire.WholeToken, s.authorizationInfo),
		wire.Delete(one, wire.WholeToken, s.revokeAuthorization),
		wire.Post(one+"/actions/regenerate-tokens", wire.WholeToken, s.regenerateTokens),
		wire.Patch(one, wire.WholeToken, s.updateAuthorization),
		// Heroku's CLI sends these; the schema does not have them.
		wire.Get("/oauth/sessions", wire.WholeToken, wire.ListNone),
		wire.Delete("/oauth/sessions/{session}", wire.WholeToken, wire.NoneOf("session", "session")),
	}
}

// authorization is an authorization as JSON. There are no sessions.
type authorization struct {
	AccessToken  accessToken `json:"access_token"`
	Client       *wire.Ref   `json:"client"`
	CreatedAt    string      `json:"created_at"`
	Grant        *wire.Ref   `json:"grant"`
	ID           string      `json:"id"`
	RefreshToken *wire.Ref   `json:"refresh_token"`
	Scope        []string    `json:"scope"`
	Session      *wire.Ref   `json:"session"`
	UpdatedAt    string      `json:"updated_at"`
	User         grantee     `json:"user"`
	Description  string      `json:"description"`
	// App is there for a robot's only. Heroku has none.
	App *robotsApp `json:"app,omitempty"`
}

// robotsApp is the app of a robot's token. The name is null if the account may not
// see it any more.
type robotsApp struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

type accessToken struct {
	ExpiresIn *int   `json:"expires_in"` // seconds; null for never
	ID        string `json:"id"`
	Token     string `json:"token"`
}

type grantee struct {
	Email    string  `json:"email"`
	FullName *string `json:"full_name"`
	ID       string  `json:"id"`
}

// newAuthorization makes JSON of an authorization. Token, unless empty, stands in
// place of its redacted form; names are those of robots' apps.
func newAuthorization(
	a renga.Authorization, who renga.Account, token string, names map[renga.AppID]string, now time.Time,
) authorization {
	shown := authorization{
		AccessToken: accessToken{ID: accessTokenID(a), Token: cmp.Or(token, a.Redacted)},
		CreatedAt:   wire.Stamp(a.CreatedAt), ID: a.ID, UpdatedAt: wire.Stamp(a.UpdatedAt), Description: a.Description,
		User: grantee{Email: who.Email, FullName: wire.OrNull(who.Name), ID: string(who.ID)},
	}
	if !a.ExpiresAt.IsZero() {
		left := max(0, int(a.ExpiresAt.Sub(now).Seconds()))
		shown.AccessToken.ExpiresIn = &left
	}
	if a.App != "" {
		shown.App = &robotsApp{ID: string(a.App), Name: wire.OrNull(names[a.App])}
	}
	for _, one := range a.Scopes {
		shown.Scope = append(shown.Scope, string(one))
	}
	return shown
}

// accessTokenID makes an id of the authorization's, because access tokens have none
// in the store.
func accessTokenID(a renga.Authorization) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:access-token:"+a.ID)).String()
}

func (s *Server) replyAuthorization(
	w http.ResponseWriter, r *http.Request, status int, a renga.Authorization, token string,
) error {
	names, err := s.robotsApps(r, a)
	if err != nil {
		return err
	}
	return wire.Answer(w, status, newAuthorization(a, wire.Caller(r), token, names, s.Now()))
}

// robotsApps gives the names of robots' apps that the caller may see.
func (s *Server) robotsApps(r *http.Request, all ...renga.Authorization) (map[renga.AppID]string, error) {
	var ids []renga.AppID
	for _, a := range all {
		if a.App != "" {
			ids = append(ids, a.App)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	apps, err := s.SeenOf(r, slices.Compact(ids))
	names := map[renga.AppID]string{}
	for _, a := range apps {
		names[a.ID] = a.Name
	}
	return names, err
}

func (s *Server) listAuthorizations(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Authorizations.Authorizations(r.Context(), wire.Caller(r).ID)
	if err != nil {
		return err
	}
	names, err := s.robotsApps(r, all...)
	if err != nil {
		return err
	}
	shown := make([]authorization, 0, len(all))
	for _, a := range all {
		shown = append(shown, newAuthorization(a, wire.Caller(r), "", names, s.Now()))
	}
	return wire.List(w, r, shown, wire.By("id", func(a authorization) string { return a.ID }))
}

// authorizationOf finds the authorization of the path: one of the caller's by its
// id, or the default one, "~".
func (s *Server) authorizationOf(r *http.Request) (renga.Authorization, error) {
	all, err := s.Authorizations.Authorizations(r.Context(), wire.Caller(r).ID)
	if err != nil {
		return renga.Authorization{}, err
	}
	identity := mux.Vars(r)["authorization"]
	for _, a := range all {
		if a.ID == identity || identity == "~" && a.Default {
			return a, nil
		}
	}
	return renga.Authorization{}, wire.NotFound("authorization")
}

func (s *Server) authorizationInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := s.authorizationOf(r)
	if err != nil {
		return err
	}
	return s.replyAuthorization(w, r, http.StatusOK, a, "")
}

// seconds is a number, which some clients send as a string.
type seconds int

func (n *seconds) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	parsed, err := strconv.ParseUint(text, 10, 31)
	if err != nil || parsed == 0 {
		return wire.Invalid("Field \"expires_in\" must be a whole number of seconds above zero.")
	}
	*n = seconds(parsed)
	return nil
}

func (s *Server) createAuthorization(w http.ResponseWriter, r *http.Request) error {
	body := struct {
		App         string          `json:"app"`
		Client      json.RawMessage `json:"client"`
		Description string          `json:"description"`
		ExpiresIn   *seconds        `json:"expires_in"`
		Scope       renga.Scopes    `json:"scope"`
	}{Description: "Long-lived user authorization", Scope: renga.Scopes{renga.ScopeGlobal}}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := noClient(body.Client); err != nil {
		return err
	}
	asked := renga.Authorization{Description: body.Description, Scopes: body.Scope}
	if body.ExpiresIn != nil {
		asked.Lifetime = time.Duration(*body.ExpiresIn) * time.Second
	}
	app := renga.App{}
	if body.App != "" {
		var err error
		if app, err = s.robotsAppFor(r, body.App, body.Scope); err != nil {
			return err
		}
		asked.App = app.ID
	}
	a, token, err := s.parts.Logins.Authorize(r.Context(), wire.InfoOf(r).Bearer, asked)
	if err != nil {
		return err
	}
	s.Audit(r, "authorization created", app.Name, "authorization", a.ID, "scope", a.Scopes, "expires_in", a.Lifetime.String())
	return s.replyAuthorization(w, r, http.StatusCreated, a, token)
}

// robotsAppFor finds the app that a robot is to reach. Nobody makes a robot that may
// do what they may not.
func (s *Server) robotsAppFor(r *http.Request, identity string, scopes renga.Scopes) (renga.App, error) {
	takes := renga.MayView
	if scopes.Allow(renga.ScopeRegistryPush) {
		takes = renga.MayDeploy
	}
	return s.AppNamed(r, identity, takes)
}

// noClient refuses an authorization for a third party's client. Heroku's Go client
// sends an empty client when there is none.
func noClient(client json.RawMessage) error {
	var named map[string]any
	if len(client) > 0 && (json.Unmarshal(client, &named) != nil || len(named) > 0) {
		return wire.Invalid("There are no OAuth clients on this platform; make an authorization without a client.")
	}
	return nil
}

func (s *Server) updateAuthorization(w http.ResponseWriter, r *http.Request) error {
	a, err := s.authorizationOf(r)
	if err != nil {
		return err
	}
	body := struct {
		Client      json.RawMessage `json:"client"`
		Description string          `json:"description"`
	}{Description: a.Description}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if err := noClient(body.Client); err != nil {
		return err
	}
	a, err = s.parts.Authorizations.UpdateAuthorization(r.Context(), a.Account, a.ID, func(a *renga.Authorization) error {
		a.Description, a.UpdatedAt = body.Description, s.Now()
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "authorization")
	}
	s.Audit(r, "authorization updated", "", "authorization", a.ID)
	return s.replyAuthorization(w, r, http.StatusOK, a, "")
}

func (s *Server) revokeAuthorization(w http.ResponseWriter, r *http.Request) error {
	a, err := s.authorizationOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Authorizations.DeleteAuthorization(r.Context(), a.Account, a.ID); err != nil {
		return wire.OrNotFound(err, "authorization")
	}
	s.Audit(r, "authorization revoked", "", "authorization", a.ID)
	return s.replyAuthorization(w, r, http.StatusOK, a, "")
}

func (s *Server) regenerateTokens(w http.ResponseWriter, r *http.Request) error {
	a, err := s.authorizationOf(r)
	if err != nil {
		return err
	}
	a, token, err := s.parts.Logins.Regenerate(r.Context(), a.Account, a.ID)
	if err != nil {
		return wire.OrNotFound(err, "authorization")
	}
	s.Audit(r, "token regenerated", "", "authorization", a.ID)
	return s.replyAuthorization(w, r, http.StatusOK, a, token)
}
