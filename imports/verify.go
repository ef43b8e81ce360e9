package imports

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// same compares in a time that tells nothing of the secret but its length.
func same(shown, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(shown), []byte(secret)) == 1
}

// never is of what sends nothing.
func never(*http.Request, []byte, string) bool { return false }

// inQuery is of senders that can be given a URL and nothing else.
func inQuery(r *http.Request, _ []byte, secret string) bool {
	return same(r.URL.Query().Get("secret"), secret)
}

// inAuthorization is of senders that can be given the header Authorization: the
// secret alone, as a bearer token, or as the password of any user.
func inAuthorization(r *http.Request, _ []byte, secret string) bool {
	header := r.Header.Get("Authorization")
	if _, password, basic := r.BasicAuth(); basic {
		return same(password, secret)
	}
	return same(strings.TrimPrefix(header, "Bearer "), secret)
}

// inAPIKey is of connections of EventBridge, whose header has a name of their own.
func inAPIKey(r *http.Request, body []byte, secret string) bool {
	return same(r.Header.Get("X-Api-Key"), secret) || inAuthorization(r, body, secret)
}

// byHubSignature is GitHub's.
func byHubSignature(r *http.Request, body []byte, secret string) bool {
	signature, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	return ok && signs(signature, body, secret)
}

// byGiteaSignature is Gitea's and Forgejo's.
func byGiteaSignature(r *http.Request, body []byte, secret string) bool {
	return signs(r.Header.Get("X-Gitea-Signature"), body, secret) || signs(r.Header.Get("X-Forgejo-Signature"), body, secret)
}

// signs tells whether a signature in hex is the body's HMAC with SHA-256.
func signs(signature string, body []byte, secret string) bool {
	shown, err := hex.DecodeString(signature)
	if err != nil || secret == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(shown, mac.Sum(nil))
}
