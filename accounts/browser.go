package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"renga"
)

// Pending keeps logins that wait for a browser, for as long as [renga.LoginTime].
type Pending interface {
	StartLogin(ctx context.Context, l renga.PendingLogin, secret string) error
	PendingLogin(ctx context.Context, id string) (renga.PendingLogin, error)
	// EndLogin hands a token over. It is NotFound when the login is not pending.
	EndLogin(ctx context.Context, id, token string) error
	// LoginToken is the token, for a client that has the login's secret; empty if
	// there is none yet.
	LoginToken(ctx context.Context, id, secret string) (string, error)
}

// tokenLifetime is how long a login with a browser lasts, as with Heroku's CLI.
const tokenLifetime = 30 * 24 * time.Hour

// freeForBrowser is how many logins an address may start in an hour without a
// pause.
const freeForBrowser = 60

// Begin starts a login for a client, which is then done in a browser. The
// client gets its token with the secret.
func (a *Accounts) Begin(ctx context.Context,
	description, from string) (l renga.PendingLogin, secret string, err error) {
	d := attemptLimit{"browser of " + renga.ClientNetwork(from), freeForBrowser}
	if err := a.countAttempt(ctx, d); err != nil {
		return l, "", err
	}
	l = renga.PendingLogin{
		ID: strings.ToLower(rand.Text()), Description: clip(description), From: from, CreatedAt: time.Now().UTC(),
	}
	secret = NewToken()
	return l, secret, a.store.StartLogin(ctx, l, secret)
}

// clip shortens a client's description of itself.
func clip(text string) string {
	return strings.ToValidUTF8(renga.Head(text, 200), "")
}

// Waiting is a login that waits for a browser; NotFound when it does not.
func (a *Accounts) Waiting(ctx context.Context, id string) (renga.PendingLogin, error) {
	return a.store.PendingLogin(ctx, id)
}

// Finish logs somebody in with a password and gives the waiting client a token.
func (a *Accounts) Finish(ctx context.Context, id, email, password, from string) (renga.Bearer, error) {
	l, err := a.store.PendingLogin(ctx, id)
	if err != nil {
		return renga.Bearer{}, err
	}
	by, err := a.Login(ctx, email, password, from)
	if err != nil {
		return renga.Bearer{}, err
	}
	grant, token, err := a.Authorize(ctx, by, renga.Authorization{
		Description: l.Description, Scopes: renga.Scopes{renga.ScopeGlobal}, Lifetime: tokenLifetime,
	})
	if err != nil {
		return renga.Bearer{}, err
	}
	if err := a.store.EndLogin(ctx, id, token); err != nil {
		// Somebody else was quicker, or it took too long: nobody gets the token.
		return renga.Bearer{}, errors.Join(err, a.store.DeleteAuthorization(ctx, by.Account.ID, grant.ID))
	}
	return renga.Bearer{Account: by.Account, Authorization: grant}, nil
}

// Token is the token of a waiting client; empty while it must go on waiting.
func (a *Accounts) Token(ctx context.Context, id, secret string) (string, error) {
	return a.store.LoginToken(ctx, id, secret)
}
