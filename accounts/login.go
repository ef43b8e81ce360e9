package accounts

import (
	"context"
	"strings"
	"time"

	"renga"
)

// Attempts counts failed tries. It forgets a count an hour after the last try.
type Attempts interface {
	// Attempt counts one more failed try of who. A try before the pause after the
	// last one is over is not counted, and the rest of the pause is returned.
	Attempt(ctx context.Context, who string, pause func(failed int) time.Duration) (time.Duration, error)
	// UndoAttempt takes one failed try back.
	UndoAttempt(ctx context.Context, who string) error
}

const (
	// freeForAccount is how many tries may fail, of one account from one address,
	// without a pause.
	freeForAccount = 5
	longestPause   = time.Minute
)

// errCredentials does not tell whether there is such an account.
var errCredentials = renga.Errorf(renga.Unauthorized, "Email and password do not match.")

// Login is the account with that email, if the password is its own, and an
// authorization without a token, for making one. From is the
// client's address.
func (a *Accounts) Login(ctx context.Context, email, password, from string) (renga.Bearer, error) {
	who, kept, err := a.tryPassword(ctx, email, password, from)
	if err != nil {
		return renga.Bearer{}, err
	}
	who, err = a.store.UpdateAccount(ctx, who.ID, func(who *renga.Account) error {
		who.LastLogin = time.Now().UTC()
		return nil
	})
	return renga.Bearer{Account: who, Authorization: renga.Authorization{
		Account: who.ID, Scopes: renga.Scopes{renga.ScopeGlobal}, Password: renga.PasswordName(kept),
	}}, err
}

// tryPassword is the account with that email and what is kept of its password,
// if the password is that. Tries count for account and address together: guessing
// an account's password locks out neither its owner at other addresses, nor other
// accounts at the same address.
func (a *Accounts) tryPassword(ctx context.Context, email, password, from string) (renga.Account, string, error) {
	from = renga.ClientNetwork(from)
	d := attemptLimit{accountFrom(email, from), freeForAccount}
	if err := a.countAttempt(ctx, d); err != nil {
		return renga.Account{}, "", err
	}
	who, kept, err := a.verified(ctx, from, email, password)
	if err != nil {
		return renga.Account{}, "", err
	}
	return who, kept, a.store.UndoAttempt(ctx, d.who)
}

// attemptLimit is what failed tries are counted for, with how many are free.
type attemptLimit struct {
	who  string
	free int
}

// countAttempt counts a try, unless it comes too early, which is an error.
func (a *Accounts) countAttempt(ctx context.Context, d attemptLimit) error {
	wait, err := a.store.Attempt(ctx, d.who, d.pause)
	if err == nil && wait > 0 {
		err = waitFirst(wait)
	}
	return err
}

// accountFrom names an account together with the network that somebody tries it from.
func accountFrom(email, network string) string {
	return "account " + strings.ToLower(email) + " from " + network
}

func waitFirst(pause time.Duration) error {
	return renga.Errorf(renga.TooMany, "Too many tries; try again in %s.", max(pause, time.Second).Round(time.Second))
}

// pause doubles with every try beyond the free ones.
func (d attemptLimit) pause(failed int) time.Duration {
	over := failed - d.free
	switch {
	case over < 0:
		return 0
	case over > 6:
		return longestPause
	}
	return min(time.Second<<over, longestPause)
}

// verified checks a password. It takes as long when there is no such account.
func (a *Accounts) verified(ctx context.Context, from, email, password string) (renga.Account, string, error) {
	who, kept, err := a.store.Password(ctx, email)
	if err != nil && renga.KindOf(err) != renga.NotFound {
		return renga.Account{}, "", err
	}
	right, err := a.matches(ctx, from, password, kept)
	if err != nil {
		return renga.Account{}, "", err
	}
	if !right {
		return renga.Account{}, "", errCredentials
	}
	return who, kept, nil
}
