package renga

import (
	"context"
	"time"
)

// AccountID names an account for ever: a UUID.
type AccountID string

// Platform is who acts when the platform does so by itself.
const Platform AccountID = "platform"

// Account is somebody who may use the platform. Its password and its tokens
// are stored beside it, as hashes only.
type Account struct {
	ID            AccountID
	Email         string // as it was written; two that differ only in case are one
	Name          string
	AllowTracking bool
	Beta          bool
	Preferences   string // what clients have kept for it, as JSON; may be empty
	CreatedAt     time.Time
	UpdatedAt     time.Time
	LastLogin     time.Time // zero when nobody has logged in with the password yet
}

// Authorization lets whoever holds its token act for an account, as far as its
// scopes go and until it expires.
type Authorization struct {
	ID          string
	Account     AccountID
	Description string
	Scopes      Scopes
	// Default marks the account's own one, which clients call "~".
	Default bool
	// Redacted is the token as it may be shown after its first showing.
	Redacted  string
	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time // zero for never
	// Lifetime is how long each of its tokens lasts; zero for ever.
	Lifetime time.Duration
}

// Expired tells whether the authorization is over at that time.
func (a Authorization) Expired(at time.Time) bool {
	return !a.ExpiresAt.IsZero() && !a.ExpiresAt.After(at)
}

// Bearer is who shows a token: the account it acts for, and the authorization
// that says how far.
type Bearer struct {
	Account       Account
	Authorization Authorization
}

// RedactToken is the form in which a token is shown after its first showing:
// how it begins and how it ends, which clients compare with the one they have.
func RedactToken(token string) string {
	const shown = 4
	if len(token) < 8*shown {
		return "**********"
	}
	return token[:shown] + "**********" + token[len(token)-shown:]
}

// LoginTime is how long a login waits for a browser.
const LoginTime = 10 * time.Minute

// PendingLogin is a client that waits until somebody logs in with a browser.
type PendingLogin struct {
	ID          string
	Description string // what the client says of itself
	From        string // its address
	CreatedAt   time.Time
}

// SSHKey is a public key of somebody's.
type SSHKey struct {
	ID          string
	Account     AccountID
	Comment     string
	Fingerprint string // MD5 in hex with colons, as Heroku shows it
	PublicKey   string // the line that ssh-keygen writes
	CreatedAt   time.Time
}

type actorKey struct{}

// ActedBy says in whose name something is done, for those who record it.
func ActedBy(ctx context.Context, who AccountID) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// Actor is in whose name something is done; empty for the platform itself.
func Actor(ctx context.Context) AccountID {
	who, _ := ctx.Value(actorKey{}).(AccountID)
	return who
}
