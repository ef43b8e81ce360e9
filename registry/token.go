package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// anonymousToken is what somebody gets for a token who shows none. It is no
// secret, and opens what is open to all.
const anonymousToken = "anonymous"

// tokenLifetime is how long a client uses what it got at /v2/token before it asks
// again, in seconds. What a token opens is asked for at each request all the same.
const tokenLifetime = 300

// giveToken answers a client that follows the challenge: it gets back the token
// that it came with, which is as good for a Bearer as for a password. Docker never
// pulls without a login where the challenge is Basic; where it is Bearer it asks for
// a token without showing one.
func giveToken(w http.ResponseWriter, req *http.Request) error {
	if req.Method != http.MethodGet { // clients that POST try GET after a 405
		return errUnsupported
	}
	token := credentialsOf(req).Token
	if token == "" {
		token = anonymousToken
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token, "expires_in": tokenLifetime})
	return nil
}

// challenge says where a client gets a token
// (distribution's spec, "Token Authentication").
func challenge(req *http.Request) string {
	scheme := "http"
	if req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https" { // which only a trusted proxy can have sent
		scheme = "https"
	}
	text := fmt.Sprintf(`Bearer realm="%s://%s/v2/token",service="%s"`, scheme, req.Host, req.Host)
	if c, err := parseCall(req.URL.Path); err == nil && c.app != "" {
		actions := "pull"
		if c.writes(req.Method) {
			actions = "pull,push"
		}
		text += fmt.Sprintf(`,scope="repository:%s:%s"`, c.repository(), actions)
	}
	return text
}
