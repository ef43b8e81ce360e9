package store

import (
	"context"
	"maps"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Password reads the account that has the email and the hash of its password,
// which is empty when it has none. renga.NotFound when no account has the email.
func (s *Store) Password(ctx context.Context, email string) (renga.Account, string, error) {
	var r accountRecord
	err := s.do(ctx, "read account by email", func(ctx context.Context) error {
		var id *redis.StringCmd
		if err := s.read(ctx, func(p redis.Pipeliner) { id = p.Get(ctx, keyEmail(email)) }); err != nil {
			return err
		}
		if missing(id.Err()) {
			return renga.Errorf(renga.NotFound, "There is no account with this email.")
		}
		var err error
		r, err = s.account(ctx, renga.AccountID(id.Val()))
		return err
	})
	return r.account(), r.Password, err
}

// SetPassword replaces the hash of an account's password, whatever it was, and
// ends the logins that were made with it.
func (s *Store) SetPassword(ctx context.Context, id renga.AccountID, hash string) error {
	return s.replacePassword(ctx, id, hash, "", func(accountRecord) error { return nil })
}

// ChangePassword replaces the hash of an account's password, and ends the logins
// that were made with it but the one to keep. renga.Conflict when the old hash is
// another by now.
func (s *Store) ChangePassword(ctx context.Context, id renga.AccountID, old, hash, keep string) error {
	return s.replacePassword(ctx, id, hash, keep, func(r accountRecord) error {
		if r.Password != old {
			return renga.Errorf(renga.Conflict, "The password was changed meanwhile; log in anew.")
		}
		return nil
	})
}

func (s *Store) replacePassword(ctx context.Context, id renga.AccountID, hash, keep string,
	may func(accountRecord) error) error {
	return s.do(ctx, "change password of "+string(id), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			r, there, err := readRecord[accountRecord](ctx, tx, keyAccount(id))
			if err == nil && !there {
				err = renga.Errorf(renga.NotFound, "Couldn't find account %s.", id)
			}
			if err != nil {
				return err
			}
			if err := may(r); err != nil {
				return err
			}
			before, err := readGrants(ctx, tx, id)
			if err != nil {
				return err
			}
			after := maps.Clone(before)
			maps.DeleteFunc(after, func(grant string, g authorizationRecord) bool { return g.Password != "" && grant != keep })
			r.Password = hash
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.Set(ctx, keyAccount(id), encode(r), 0)
				writeGrants(ctx, p, id, before, after)
			})
		}, keyAccount(id), keyGrants(id))
	})
}

// passwordStands fails when a login was made with a password that the account
// has no more: somebody changed it while the login was under way. The account's
// key must be watched.
func passwordStands(ctx context.Context, tx *redis.Tx, a renga.Authorization) error {
	if a.Password == "" {
		return nil
	}
	r, there, err := readRecord[accountRecord](ctx, tx, keyAccount(a.Account))
	if err == nil && (!there || renga.PasswordName(r.Password) != a.Password) {
		err = renga.Errorf(renga.Unauthorized, "Email and password do not match.")
	}
	return err
}
