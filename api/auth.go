package api

import (
	"context"
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

// authenticate lets requests through that carry a good token, and remembers
// whose it is.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		bearer, err := s.bearerOf(r)
		if err != nil {
			return err
		}
		visitOf(r).bearer = bearer
		next.ServeHTTP(w, r)
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
	return renga.Bearer{}, errUnauthorized()
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
	if _, password, ok := r.BasicAuth(); ok {
		add(password)
	}
	add(r.Header.Get(tokenHeader))
	return tokens
}
