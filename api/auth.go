package api

import (
	"context"
	"net/http"
	"strings"

	"renga"
)

// Tokens knows the API tokens.
type Tokens interface {
	// AccountByToken is the account that holds the token; Unauthorized when
	// nobody does.
	AccountByToken(ctx context.Context, token string) (renga.Account, error)
}

// tokenHeader is the second place for a token: some commands of the official
// CLI send an Authorization header that is none.
const tokenHeader = "X-Renga-Token"

// authenticate lets requests through that carry a good token, and remembers
// whose it is.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		account, err := s.accountOf(r)
		if err != nil {
			return err
		}
		visitOf(r).account = account
		next.ServeHTTP(w, r)
		return nil
	})
}

func (s *Server) accountOf(r *http.Request) (renga.Account, error) {
	for _, token := range credentials(r) {
		account, err := s.parts.Tokens.AccountByToken(r.Context(), token)
		if renga.KindOf(err) != renga.Unauthorized {
			return account, err
		}
	}
	return renga.Account{}, errUnauthorized()
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
