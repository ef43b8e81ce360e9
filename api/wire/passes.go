package wire

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"renga"
)

// A client gets URLs of streams and secrets of dynos' clients, which are used
// without its token. They are good for as long as the right that they were given
// for: each names the account and the authorization of the client, and both are
// checked when it is used, and again while it is in use.

// recheckPause is how often the right to a stream is checked while the stream goes
// on.
const recheckPause = 5 * time.Second

// Pass names the account and the authorization that a URL or a secret was given to.
type Pass struct {
	Account       renga.AccountID `json:"account"`
	Authorization string          `json:"authorization"`
	// Token is a digest of the authorization's token, so that a token made anew is
	// another one.
	Token string `json:"token"`
}

// PassOf gives the pass for the caller of a request, by its context.
func (s Settings) PassOf(ctx context.Context) Pass {
	by := infoIn(ctx).Bearer
	return Pass{Account: by.Account.ID, Authorization: by.Authorization.ID, Token: s.tokenDigest(by.Authorization)}
}

func (s Settings) tokenDigest(a renga.Authorization) string {
	mac := hmac.New(sha256.New, s.StreamKey)
	fmt.Fprintf(mac, "token %s %s", a.ID, a.Redacted)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// Sign makes a signed key that contains v. Nothing is stored of it.
func (s Settings) Sign(kind string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode a %s: %w", kind, err)) // v has only plain fields
	}
	return encode64(text) + "." + encode64(s.mac(kind, text))
}

func (s Settings) mac(kind string, text []byte) []byte {
	mac := hmac.New(sha256.New, s.StreamKey)
	fmt.Fprintf(mac, "%s %s", kind, text)
	return mac.Sum(nil)
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Signed reads the key in a request's URL into v, and tells whether its signature
// is good.
func (s Settings) Signed(r *http.Request, kind string, v any) bool {
	head, tail, _ := strings.Cut(r.URL.Query().Get("key"), ".")
	text, err1 := base64.RawURLEncoding.DecodeString(head)
	mac, err2 := base64.RawURLEncoding.DecodeString(tail)
	return err1 == nil && err2 == nil && hmac.Equal(mac, s.mac(kind, text)) && json.Unmarshal(text, v) == nil
}

// StillAllowed gives a function that checks whether the caller of a request may
// still do that with the app, by the same token.
func (d *Door) StillAllowed(r *http.Request, app renga.AppID, asked Policy) func(context.Context) error {
	p := d.PassOf(r.Context())
	return func(ctx context.Context) error { return d.CheckPass(ctx, p, app, asked) }
}

// CheckPass is nil while a pass allows what a policy asks for. The app does not matter to
// a policy that asks for no permission on one.
func (d *Door) CheckPass(ctx context.Context, p Pass, app renga.AppID, asked Policy) error {
	scope, _ := asked.Asks()
	grants, err := d.Authorizations.Authorizations(ctx, p.Account)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(grants, func(a renga.Authorization) bool {
		return a.ID == p.Authorization && d.tokenDigest(a) == p.Token && !a.Expired(d.Now()) && a.Scopes.Allow(scope)
	})
	if i < 0 {
		return renga.Errorf(renga.Forbidden, "The token that this was opened with is valid no more; open it anew.")
	}
	if len(asked.app) == 0 {
		return nil
	}
	a, err := d.Apps.App(ctx, app)
	switch {
	case err != nil:
		return OrNotFound(err, "app")
	case a.Deleting:
		return NotFound("app")
	}
	return a.Permit(p.Account, asked.app...)
}

// WhileAllowed is ctx until cancel is called or the pass no longer allows what a
// policy asks for. A check that fails for another reason ends nothing.
func (d *Door) WhileAllowed(
	ctx context.Context, p Pass, app renga.AppID, asked Policy,
) (allowed context.Context, cancel context.CancelFunc) {
	allowed, cancel = context.WithCancel(ctx)
	go func() { // ends with the context
		defer cancel()
		look := time.NewTicker(d.RecheckPause)
		defer look.Stop()
		for {
			select {
			case <-allowed.Done():
				return
			case <-look.C:
			}
			err := d.CheckPass(allowed, p, app, asked)
			if kind := renga.KindOf(err); kind == renga.Forbidden || kind == renga.NotFound {
				d.Log.Info("stream ended with the right to it", "app", app, "account", p.Account, "reason", err)
				return
			}
		}
	}()
	return allowed, cancel
}
