package renga

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// AccountID names an account for ever: a UUID.
type AccountID string

// Platform is the actor when the platform acts by itself.
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

// Authorization lets the holder of its token act for an account, within its
// scopes and until it expires.
type Authorization struct {
	ID          string
	Account     AccountID
	Description string
	Scopes      Scopes
	// AddOn is set if the token is that of an add-on's partner: it reaches that
	// add-on, and nothing else.
	AddOn AddOnID
	// App is set if the token is a robot's: it reaches the images of that app, as long
	// as the account may, and nothing else.
	App AppID
	// Default marks the account's own one, which clients call "~".
	Default bool
	// Password names the password that a login was made with: it ends when that is
	// changed. It is empty for an authorization that was made in another way.
	Password string
	// Redacted is the token as it may be shown later.
	Redacted  string
	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time // zero for never
	// Lifetime is how long each of its tokens lasts; zero for ever.
	Lifetime time.Duration
}

// Expired tells whether the authorization has expired at that time.
func (a Authorization) Expired(at time.Time) bool {
	return !a.ExpiresAt.IsZero() && !a.ExpiresAt.After(at)
}

// Bearer is the holder of a token: the account that it acts for, and the
// authorization that limits it.
type Bearer struct {
	Account       Account
	Authorization Authorization
}

// ShownToken is a token that somebody shows who wants in, and the user name
// that came with it, which may be anything.
type ShownToken struct {
	User  string
	Token string
	From  string // the address that they come from
}

// RedactToken is the form in which a token is shown later: its beginning and
// its end, which clients compare with the token that they have.
func RedactToken(token string) string {
	const shown = 4
	if len(token) < 8*shown {
		return "**********"
	}
	return token[:shown] + "**********" + token[len(token)-shown:]
}

// PasswordName names a password by the hash that is kept of it. That is salted, so
// that the name tells nothing of the password.
func PasswordName(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return hex.EncodeToString(sum[:8])
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

// ActedBy sets the account in whose name something is done, for records of it.
func ActedBy(ctx context.Context, who AccountID) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// Actor is the account in whose name something is done; empty for the platform
// itself.
func Actor(ctx context.Context) AccountID {
	who, _ := ctx.Value(actorKey{}).(AccountID)
	return who
}
