package wire

import (
	"context"
	"net"
	"net/http"
	"strings"

	"renga"
)

// Tokens knows the API tokens.
type Tokens interface {
	// Holder gives the account and the scopes of a token that somebody shows;
	// Unauthorized for an unknown one, TooMany for whoever has shown too many of those.
	Holder(ctx context.Context, shown renga.ShownToken) (renga.Bearer, error)
}

// AuthorizationsPath is where clients make a token with email and password.
const AuthorizationsPath = "/oauth/authorizations"

// shortestToken is how long tokens are at least.
const shortestToken = 64

// tokenHeader is the second place for a token: some commands of the official CLI
// send an Authorization header without one.
const tokenHeader = "X-Renga-Token"

// authenticate lets requests with good credentials through, unless admit refuses
// them, and remembers whose they are.
func (d *Door) authenticate(admit Handler, next http.Handler) http.Handler {
	return d.Handle(func(w http.ResponseWriter, r *http.Request) error {
		bearer, err := d.bearerOf(r)
		if err != nil {
			return err
		}
		InfoOf(r).Bearer = bearer
		if err := admit(w, r); err != nil {
			return err
		}
		next.ServeHTTP(w, r.WithContext(renga.ActedBy(r.Context(), bearer.Account.ID)))
		return nil
	})
}

func (d *Door) bearerOf(r *http.Request) (renga.Bearer, error) {
	user, password, basic := r.BasicAuth()
	login := basic && strings.Contains(user, "@") && takesPassword(r)
	for _, token := range credentials(r) {
		if login && len(token) < shortestToken {
			continue // or each login with a password would count as a guessed token
		}
		bearer, err := d.Tokens.Holder(r.Context(), renga.ShownToken{User: user, Token: token, From: ClientAddress(r)})
		if renga.KindOf(err) != renga.Unauthorized {
			return bearer, err
		}
	}
	if !login {
		return renga.Bearer{}, errUnauthorized()
	}
	return d.Logins.Login(r.Context(), user, password, ClientAddress(r))
}

// Reauthenticate is a request that ended long ago as if it came in now: its token
// is checked anew.
func (d *Door) Reauthenticate(ctx context.Context, r *http.Request) (*http.Request, error) {
	r = r.WithContext(context.WithValue(ctx, infoKey{}, InfoOf(r)))
	_, err := d.bearerOf(r)
	return r, err
}

// takesPassword tells whether email and password are good credentials too: they are
// where a token is made.
func takesPassword(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == AuthorizationsPath
}

// credentials are the tokens of a request in the order in which they are
// tried: "Bearer TOKEN", Basic with the token as password and any user name,
// and the header of our own.
func credentials(r *http.Request) []string {
	var tokens []string
	add := func(token string) {
		if token = strings.TrimSpace(token); token != "" {
			tokens = append(tokens, token)
		}
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		add(token)
	}
	if user, password, ok := r.BasicAuth(); ok {
		add(password)
		if strings.Contains(user, "@") {
			return tokens // an account that is named is meant, and must not become another
		}
	}
	add(r.Header.Get(tokenHeader))
	return tokens
}

// ClientAddress is the address that a request comes from, without its port.
func ClientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
