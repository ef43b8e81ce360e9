package imports

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"renga"
)

// TokenOptions say whose tokens are taken.
type TokenOptions struct {
	Issuer  string // empty for Google's
	KeysURL string // of a JWK set, RFC 7517; empty for Google's
	// Dial connects to where the keys are; nil for the system's way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	googleIssuer = "https://accounts.google.com"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
	// keysEvery and keysBurst bound how often forged tokens can make us fetch keys.
	keysEvery = 10 * time.Second
	keysBurst = 3
	// maxKeysBytes bounds what is read of them.
	maxKeysBytes = 1 << 20
	keysTimeout  = 10 * time.Second
)

// tokens verifies the tokens that Pub/Sub shows with what it pushes (Google's guide
// "Authentication for push subscriptions").
type tokens struct {
	issuer string
	keys   oidc.KeySet
	now    func() time.Time
}

func newTokens(o TokenOptions, now func() time.Time) *tokens {
	if o.Issuer == "" {
		o.Issuer = googleIssuer
	}
	if o.KeysURL == "" {
		o.KeysURL = googleKeys
	}
	client := &http.Client{Timeout: keysTimeout, Transport: &keysTransport{
		inner: &http.Transport{DialContext: o.Dial, TLSHandshakeTimeout: keysTimeout, ForceAttemptHTTP2: true},
		often: rate.NewLimiter(rate.Every(keysEvery), keysBurst),
	}}
	return &tokens{o.Issuer, oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), o.KeysURL), now}
}

// proves tells whether a request has a token that the issuer made for this URL and
// account, and that is not over. Pub/Sub makes one anew for each push.
func (t *tokens) proves(r *http.Request, url, account string) bool {
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || url == "" || account == "" {
		return false
	}
	verifier := oidc.NewVerifier(t.issuer, t.keys, &oidc.Config{ClientID: url, Now: t.now})
	token, err := verifier.Verify(r.Context(), shown)
	if err != nil {
		return false
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	return token.Claims(&claims) == nil && claims.Verified && claims.Email == account
}

// checkServiceAccount is an error if a rule cannot ask for tokens of that account.
func checkServiceAccount(r renga.ImportRule) error {
	if r.ServiceAccount == "" {
		return nil
	}
	if !sources[r.Source].tokens {
		return renga.Errorf(renga.Invalid, "Only notices of artifact-registry come with a token of a service account.")
	}
	if a, err := mail.ParseAddress(r.ServiceAccount); err != nil || a.Address != r.ServiceAccount || len(r.ServiceAccount) > 254 {
		return renga.Errorf(renga.Invalid, "%q is no e-mail address of a service account.", renga.Clip(r.ServiceAccount, 100))
	}
	return nil
}

// keysTransport is an http.RoundTripper that fetches small things, and not too often.
type keysTransport struct {
	inner *http.Transport
	often *rate.Limiter
}

// RoundTrip makes one request.
func (k *keysTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !k.often.Allow() {
		return nil, renga.Errorf(renga.TooMany, "The keys of tokens were asked for too often.")
	}
	res, err := k.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = boundedBody{io.LimitReader(res.Body, maxKeysBytes), res.Body}
	return res, nil
}

// boundedBody is the beginning of a body.
type boundedBody struct {
	io.Reader
	io.Closer
}
