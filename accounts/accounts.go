// Package accounts logs people in. It makes accounts, checks passwords, and
// makes the tokens that act for an account afterwards.
//
// Passwords are kept as argon2id hashes (password.go), tokens as SHA-256 ones.
// Guessing a password is slow: after too many failures for one account an
// address has to wait ever longer, but no other address does (login.go). Few
// checks run at a time, and addresses take turns (hashqueue.go).
package accounts

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/mail"
	"time"

	"github.com/google/uuid"

	"renga"
)

// Store keeps what there is to know.
type Store interface {
	People
	Grants
	Attempts
	Pending
}

// People keeps accounts and the hashes of their passwords.
type People interface {
	// CreateAccount is Conflict when the email is taken, in any case.
	CreateAccount(ctx context.Context, a renga.Account, password string, grant renga.Authorization, token string) error
	// Password is the account of that email and its hash, which may be empty;
	// NotFound when nobody has the email.
	Password(ctx context.Context, email string) (renga.Account, string, error)
	// SetPassword ends all logins that were made with the old password;
	// ChangePassword keeps one authorization, and is Conflict when old is not the
	// account's hash any more.
	SetPassword(ctx context.Context, id renga.AccountID, hash string) error
	ChangePassword(ctx context.Context, id renga.AccountID, old, hash, keep string) error
	UpdateAccount(ctx context.Context, id renga.AccountID, edit func(*renga.Account) error) (renga.Account, error)
}

// Grants keeps authorizations.
type Grants interface {
	// SaveAuthorization is Unauthorized when it names a password that the account
	// has no more.
	SaveAuthorization(ctx context.Context, a renga.Authorization, token string) error
	DeleteAuthorization(ctx context.Context, account renga.AccountID, id string) error
	// ReplaceToken is NotFound when the account has no such authorization.
	ReplaceToken(ctx context.Context, account renga.AccountID, id, token string) (renga.Authorization, error)
}

// Accounts makes accounts and logs people in.
type Accounts struct {
	store  Store
	cost   Cost
	hashes *hashQueue
}

// New starts nothing. A password that was hashed at one cost can be checked at
// another.
func New(s Store, cost Cost) *Accounts {
	return &Accounts{store: s, cost: cost, hashes: newHashQueue()}
}

// Create makes an account with a password and a token that may do everything.
// The token is shown here and never again.
func (a *Accounts) Create(ctx context.Context, email, password string) (renga.Account, string, error) {
	if err := validateEmail(email); err != nil {
		return renga.Account{}, "", err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return renga.Account{}, "", err
	}
	now := time.Now().UTC()
	who := renga.Account{ID: renga.AccountID(uuid.NewString()), Email: email, CreatedAt: now, UpdatedAt: now}
	grant, token := newGrant(who.ID, now)
	grant.Description, grant.Scopes, grant.Default = "Default authorization", renga.Scopes{renga.ScopeGlobal}, true
	return who, token, a.store.CreateAccount(ctx, who, hash, grant, token)
}

func validateEmail(email string) error {
	const longest = 254
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > longest {
		return renga.Errorf(renga.Invalid, "This is no email address of the form name@example.com.")
	}
	return nil
}

// SetPassword replaces an account's password, as an operator may, and ends the
// logins that were made with the old one.
func (a *Accounts) SetPassword(ctx context.Context, email, password string) error {
	who, _, err := a.store.Password(ctx, email)
	if err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.store.SetPassword(ctx, who.ID, hash)
}

// ChangePassword replaces the password of whoever shows it, from an address, and
// ends the logins that were made with it, but not the one that asks.
func (a *Accounts) ChangePassword(ctx context.Context, by renga.Bearer, current, next, from string) error {
	_, old, err := a.tryPassword(ctx, by.Account.Email, current, from)
	if err != nil {
		return err
	}
	hash, err := a.hash(ctx, next)
	if err != nil {
		return err
	}
	return a.store.ChangePassword(ctx, by.Account.ID, old, hash, by.Authorization.ID)
}

// Authorize makes a token for an account, with the description, the scopes, the
// lifetime and the app that are asked for: a login, when whoever asks came with the
// account's password and without a token. It is shown here and never again.
func (a *Accounts) Authorize(ctx context.Context, by renga.Bearer,
	asked renga.Authorization) (renga.Authorization, string, error) {
	if err := renga.ValidateScopes(asked.Scopes, asked.App != ""); err != nil {
		return renga.Authorization{}, "", err
	}
	now := time.Now().UTC()
	grant, token := newGrant(by.Account.ID, now)
	grant.Description, grant.Scopes, grant.Lifetime, grant.App = asked.Description, asked.Scopes, asked.Lifetime, asked.App
	if by.Authorization.ID == "" {
		grant.Password = by.Authorization.Password
	}
	if grant.Lifetime > 0 {
		grant.ExpiresAt = now.Add(grant.Lifetime)
	}
	return grant, token, a.store.SaveAuthorization(ctx, grant, token)
}

// Regenerate gives an authorization a new token, which lasts as long as the one
// before was to, and ends that one.
func (a *Accounts) Regenerate(ctx context.Context, account renga.AccountID,
	id string) (renga.Authorization, string, error) {
	token := NewToken()
	grant, err := a.store.ReplaceToken(ctx, account, id, token)
	return grant, token, err
}

func newGrant(account renga.AccountID, now time.Time) (renga.Authorization, string) {
	token := NewToken()
	return renga.Authorization{
		ID: uuid.NewString(), Account: account, Redacted: renga.RedactToken(token), CreatedAt: now, UpdatedAt: now,
	}, token
}

// NewToken is 256 random bits in hex.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
