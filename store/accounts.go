package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// CreateAccount writes a new account with the hash of its password and its first
// token. An email that another account has is renga.Conflict.
func (s *Store) CreateAccount(ctx context.Context, a renga.Account, password string, grant renga.Authorization,
	token string) error {
	return s.do(ctx, "create account "+string(a.ID), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			if err := emailFree(ctx, tx, a.Email); err != nil {
				return err
			}
			record := accountRecord{Password: password}.with(a)
			return multi(ctx, tx, func(p redis.Pipeliner) {
				writeAccount(ctx, p, record)
				writeGrants(ctx, p, a.ID, nil, grants{grant.ID: newAuthorizationRecord(grant, tokenHash(token))})
			})
		}, keyEmail(a.Email))
	})
}

// emailFree needs the email's key to be watched.
func emailFree(ctx context.Context, tx *redis.Tx, email string) error {
	taken, err := tx.Exists(ctx, keyEmail(email)).Result()
	if err == nil && taken > 0 {
		return renga.Errorf(renga.Conflict, "Email %s is taken by another account.", email)
	}
	return err
}

// writeAccount does not take an email from another account.
func writeAccount(ctx context.Context, p redis.Pipeliner, r accountRecord) {
	p.Set(ctx, keyAccount(r.ID), encode(r), 0)
	p.SetNX(ctx, keyEmail(r.Email), string(r.ID), 0)
}

// EnsureAccount makes the account if there is none of that id, and gives it the
// token as its default authorization. A token is given once: when the account
// has had it, nothing is changed, also if it was revoked meanwhile. A token of
// another account is renga.Conflict.
func (s *Store) EnsureAccount(ctx context.Context, a renga.Account, token string) error {
	hash := tokenHash(token)
	return s.do(ctx, "ensure account "+string(a.ID), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return ensureAccount(ctx, tx, a, token) },
			keyToken(hash), keyAccount(a.ID), keyGrants(a.ID))
	})
}

func ensureAccount(ctx context.Context, tx *redis.Tx, a renga.Account, token string) error {
	hash := tokenHash(token)
	record, there, err := readRecord[accountRecord](ctx, tx, keyAccount(a.ID))
	if err != nil || record.Ensured == hash {
		return err
	}
	if !there {
		record = accountRecord{}.with(a)
	}
	record.Ensured = hash
	holder, known, err := readToken(ctx, tx, hash)
	if err != nil {
		return err
	}
	if known && holder.Account != a.ID {
		return renga.Errorf(renga.Conflict, "This API token belongs to another account; make a new one.")
	}
	grants, err := readGrants(ctx, tx, a.ID)
	if err != nil {
		return err
	}
	after := grants.withDefault(a, token)
	return multi(ctx, tx, func(p redis.Pipeliner) {
		writeAccount(ctx, p, record)
		writeGrants(ctx, p, a.ID, grants, after)
	})
}

// Account reads one account; renga.NotFound when there is none of that id.
func (s *Store) Account(ctx context.Context, id renga.AccountID) (renga.Account, error) {
	var a renga.Account
	err := s.do(ctx, "read account "+string(id), func(ctx context.Context) error {
		r, err := s.account(ctx, id)
		a = r.account()
		return err
	})
	return a, err
}

func (s *Store) account(ctx context.Context, id renga.AccountID) (accountRecord, error) {
	var stored *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyAccount(id)) }); err != nil {
		return accountRecord{}, err
	}
	if missing(stored.Err()) {
		return accountRecord{}, renga.Errorf(renga.NotFound, "Couldn't find account %s.", id)
	}
	return decode[accountRecord](keyAccount(id), stored.Val())
}

// AccountByEmail reads the account that has the email, in any case;
// renga.NotFound when none has.
func (s *Store) AccountByEmail(ctx context.Context, email string) (renga.Account, error) {
	a, _, err := s.Password(ctx, email)
	return a, err
}

// UpdateAccount lets edit change an account and gives back what was written.
// edit may be called several times, and its error is the answer. Id and email
// stay as they are.
func (s *Store) UpdateAccount(ctx context.Context, id renga.AccountID,
	edit func(*renga.Account) error) (renga.Account, error) {
	r, err := s.editAccount(ctx, id, func(r *accountRecord) error {
		a := r.account()
		if err := edit(&a); err != nil {
			return err
		}
		a.ID, a.Email = r.ID, r.Email
		*r = r.with(a)
		return nil
	})
	return r.account(), err
}

func (s *Store) editAccount(ctx context.Context, id renga.AccountID,
	edit func(*accountRecord) error) (accountRecord, error) {
	var r accountRecord
	err := s.do(ctx, "update account "+string(id), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			before, there, err := readRecord[accountRecord](ctx, tx, keyAccount(id))
			if err == nil && !there {
				err = renga.Errorf(renga.NotFound, "Couldn't find account %s.", id)
			}
			if err != nil {
				return err
			}
			r = before
			if err := edit(&r); err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.Set(ctx, keyAccount(id), encode(r), 0) })
		}, keyAccount(id))
	})
	return r, err
}

// readRecord reads a record under WATCH and tells whether it is there.
func readRecord[R any](ctx context.Context, tx *redis.Tx, key string) (r R, there bool, err error) {
	stored, err := tx.Get(ctx, key).Result()
	if missing(err) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	r, err = decode[R](key, stored)
	return r, true, err
}

type accountRecord struct {
	ID            renga.AccountID `json:"id"`
	Email         string          `json:"email"`
	Name          string          `json:"name,omitempty"`
	AllowTracking bool            `json:"allow_tracking,omitempty"`
	Beta          bool            `json:"beta,omitempty"`
	Preferences   string          `json:"preferences,omitempty"`
	CreatedAt     time.Time       `json:"created_at,omitzero"`
	UpdatedAt     time.Time       `json:"updated_at,omitzero"`
	LastLogin     time.Time       `json:"last_login,omitzero"`
	Password      string          `json:"password,omitempty"` // its hash
	Ensured       string          `json:"ensured,omitempty"`  // hash of the token that EnsureAccount gave it
}

// with is the record of what a is now; what is not a's stays.
func (r accountRecord) with(a renga.Account) accountRecord {
	return accountRecord{
		ID: a.ID, Email: a.Email, Name: a.Name, AllowTracking: a.AllowTracking, Beta: a.Beta, Preferences: a.Preferences,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(), LastLogin: a.LastLogin.UTC(),
		Password: r.Password, Ensured: r.Ensured,
	}
}

func (r accountRecord) account() renga.Account {
	return renga.Account{
		ID: r.ID, Email: r.Email, Name: r.Name, AllowTracking: r.AllowTracking, Beta: r.Beta, Preferences: r.Preferences,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), LastLogin: r.LastLogin.UTC(),
	}
}
