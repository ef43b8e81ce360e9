package people

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
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

// Logins gives people tokens.
type Logins interface {
	// Authorize makes an authorization for whoever asks, a login when they came
	// with a password. It ends after lifetime, never when that is zero. Its token is
	// told here and never again.
	Authorize(ctx context.Context, by renga.Bearer, description string, scopes renga.Scopes,
		lifetime time.Duration) (renga.Authorization, string, error)
	// Regenerate gives an authorization another token; NotFound when there is none.
	Regenerate(ctx context.Context, account renga.AccountID, id string) (renga.Authorization, string, error)
	// ChangePassword ends the logins with the old password but the one that asks.
	// Unauthorized when current is not that, TooMany when that was so too often.
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
		// Not in Heroku's schema, and what its CLI sends.
		wire.Get("/oauth/sessions", wire.WholeToken, wire.ListNone),
		wire.Delete("/oauth/sessions/{session}", wire.WholeToken, wire.NoneOf("session", "session")),
	}
}

// authorization is an authorization on the wire. There are no sessions.
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

// newAuthorization maps an authorization; token is shown in place of its
// redacted form when it is not empty.
func newAuthorization(a renga.Authorization, who renga.Account, token string, now time.Time) authorization {
	shown := authorization{
		AccessToken: accessToken{ID: accessTokenID(a), Token: cmp.Or(token, a.Redacted)},
		CreatedAt:   wire.Stamp(a.CreatedAt), ID: a.ID, UpdatedAt: wire.Stamp(a.UpdatedAt), Description: a.Description,
		User: grantee{Email: who.Email, FullName: wire.OrNull(who.Name), ID: string(who.ID)},
	}
	if !a.ExpiresAt.IsZero() {
		left := max(0, int(a.ExpiresAt.Sub(now).Seconds()))
		shown.AccessToken.ExpiresIn = &left
	}
	for _, one := range a.Scopes {
		shown.Scope = append(shown.Scope, string(one))
	}
	return shown
}

// accessTokenID is made of the authorization, as nobody stores it.
func accessTokenID(a renga.Authorization) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("renga:access-token:"+a.ID)).String()
}

func (s *Server) replyAuthorization(
	w http.ResponseWriter, r *http.Request, status int, a renga.Authorization, token string,
) error {
	return wire.Answer(w, status, newAuthorization(a, wire.Caller(r), token, s.Now()))
}

func (s *Server) listAuthorizations(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Authorizations.Authorizations(r.Context(), wire.Caller(r).ID)
	if err != nil {
		return err
	}
	shown := make([]authorization, 0, len(all))
	for _, a := range all {
		shown = append(shown, newAuthorization(a, wire.Caller(r), "", s.Now()))
	}
	return wire.List(w, r, shown, wire.By("id", func(a authorization) string { return a.ID }))
}

// authorizationOf finds the authorization of the path: one of the caller's own
// by its id, or "~", the default one.
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

// seconds is a number that clients also write as a string.
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
	var lifetime time.Duration
	if body.ExpiresIn != nil {
		lifetime = time.Duration(*body.ExpiresIn) * time.Second
	}
	a, token, err := s.parts.Logins.Authorize(r.Context(), wire.InfoOf(r).Bearer, body.Description, body.Scope, lifetime)
	if err != nil {
		return err
	}
	s.Audit(r, "authorization created", "", "authorization", a.ID, "scope", a.Scopes, "expires_in", lifetime.String())
	return s.replyAuthorization(w, r, http.StatusCreated, a, token)
}

// noClient refuses what third parties' clients would need. Heroku's Go client
// sends an empty one where there is none.
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
