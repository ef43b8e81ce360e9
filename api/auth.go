package api

import (
	"context"
	"net"
	"net/http"
	"strings"

	"renga"
)

// Tokens knows the API tokens.
type Tokens interface {
	// Bearer is who holds the token, and how far it goes; Unauthorized when
	// nobody does.
	Bearer(ctx context.Context, token string) (renga.Bearer, error)
}

// tokenHeader is the second place for a token: some commands of the official
// CLI send an Authorization header that is none.
const tokenHeader = "X-Renga-Token"

// authenticate lets requests through that carry good credentials and are not
// too many, and remembers whose they are.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		bearer, err := s.bearerOf(r)
		if err != nil {
			return err
		}
		visitOf(r).bearer = bearer
		if err := s.count(w, r); err != nil {
			return err
		}
		next.ServeHTTP(w, r.WithContext(renga.ActedBy(r.Context(), bearer.Account.ID)))
		return nil
	})
}

func (s *Server) bearerOf(r *http.Request) (renga.Bearer, error) {
	for _, token := range credentials(r) {
		bearer, err := s.parts.Tokens.Bearer(r.Context(), token)
		if renga.KindOf(err) != renga.Unauthorized {
			return bearer, err
		}
	}
	email, password, ok := r.BasicAuth()
	if !ok || !strings.Contains(email, "@") || !takesPassword(r) {
		return renga.Bearer{}, errUnauthorized()
	}
	account, err := s.parts.Logins.Login(r.Context(), email, password, from(r))
	return renga.Bearer{Account: account, Authorization: renga.Authorization{Scopes: renga.Scopes{renga.ScopeGlobal}}}, err
}

// takesPassword tells whether email and password are credentials too: where a
// token is made out of them.
func takesPassword(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == authorizationsPath
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
			return tokens // who names an account means that one, and must not become another
		}
	}
	add(r.Header.Get(tokenHeader))
	return tokens
}

// from is the address that a request comes from, without its port.
func from(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
