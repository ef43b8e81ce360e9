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

// What is handed out beside a token, the URL of a stream or the secret of a
// dyno's client, is good for as long as the right is that it was handed out for:
// it names the account and the token that asked, and both are asked about when
// it is used, and again while it is.

// lookAgain is how often is asked whether the right to what runs is there still.
const lookAgain = 5 * time.Second

// Pass says to whom something was handed out, by which of the account's tokens.
type Pass struct {
	Account       renga.AccountID `json:"account"`
	Authorization string          `json:"authorization"`
	// Token tells the authorization's token from those that it had before and
	// will have.
	Token string `json:"token"`
}

// PassOf is the pass of whoever a request's context is about.
func (s Settings) PassOf(ctx context.Context) Pass {
	by := infoIn(ctx).Bearer
	return Pass{Account: by.Account.ID, Authorization: by.Authorization.ID, Token: s.mark(by.Authorization)}
}

func (s Settings) mark(a renga.Authorization) string {
	mac := hmac.New(sha256.New, s.StreamKey)
	fmt.Fprintf(mac, "token %s %s", a.ID, a.Redacted)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// Sign makes a key of a kind, which is all there is of what it opens: nothing is
// kept.
func (s Settings) Sign(kind string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode a %s: %w", kind, err)) // it has nothing but plain fields
	}
	return encode64(text) + "." + encode64(s.mac(kind, text))
}

func (s Settings) mac(kind string, text []byte) []byte {
	mac := hmac.New(sha256.New, s.StreamKey)
	fmt.Fprintf(mac, "%s %s", kind, text)
	return mac.Sum(nil)
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Signed reads the key that a request's URL holds.
func (s Settings) Signed(r *http.Request, kind string, v any) bool {
	head, tail, _ := strings.Cut(r.URL.Query().Get("key"), ".")
	text, err1 := base64.RawURLEncoding.DecodeString(head)
	mac, err2 := base64.RawURLEncoding.DecodeString(tail)
	return err1 == nil && err2 == nil && hmac.Equal(mac, s.mac(kind, text)) && json.Unmarshal(text, v) == nil
}

// StillMay asks, whenever it is called, whether whoever made the request may do
// that with the app still, by the token that they had.
func (d *Door) StillMay(r *http.Request, app renga.AppID, asked Policy) func(context.Context) error {
	p := d.PassOf(r.Context())
	return func(ctx context.Context) error { return d.Holds(ctx, p, app, asked) }
}

// Holds is nil while a pass is good for that.
func (d *Door) Holds(ctx context.Context, p Pass, app renga.AppID, asked Policy) error {
	scope, _ := asked.Asks()
	grants, err := d.Authorizations.Authorizations(ctx, p.Account)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(grants, func(a renga.Authorization) bool {
		return a.ID == p.Authorization && d.mark(a) == p.Token && !a.Expired(d.Now()) && a.Scopes.Allow(scope)
	})
	if i < 0 {
		return renga.Errorf(renga.Forbidden, "The token that this was opened with is valid no more; open it anew.")
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

// WhileHeld is ctx until cancel is called or the right to what runs in it has
// ended. Nothing is ended because it could not be asked.
func (d *Door) WhileHeld(
	ctx context.Context, p Pass, app renga.AppID, asked Policy,
) (held context.Context, cancel context.CancelFunc) {
	held, cancel = context.WithCancel(ctx)
	go func() { // ends with held
		defer cancel()
		look := time.NewTicker(d.LookAgain)
		defer look.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-look.C:
			}
			err := d.Holds(held, p, app, asked)
			if kind := renga.KindOf(err); kind == renga.Forbidden || kind == renga.NotFound {
				d.Log.Info("stream ended with the right to it", "app", app, "account", p.Account, "reason", err)
				return
			}
		}
	}()
	return held, cancel
}
