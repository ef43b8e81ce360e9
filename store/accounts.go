package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/redis/go-redis/v9"

	"renga"
)

// EnsureAccount writes an account and lets token speak for it. Doing so again
// is no error; then the time of creation stays as it was. Of the token only
// the SHA-256 is stored. A token of another account is renga.Conflict.
func (s *Store) EnsureAccount(ctx context.Context, a renga.Account, token string) error {
	hash := tokenHash(token)
	return s.do(ctx, "ensure account "+string(a.ID), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			holder, err := tx.Get(ctx, keyToken(hash)).Result()
			if err != nil && !missing(err) {
				return err
			}
			if err == nil && holder != string(a.ID) {
				return renga.Errorf(renga.Conflict, "This API token belongs to another account; make a new one.")
			}
			record, err := ensuredAccount(ctx, tx, a)
			if err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.Set(ctx, keyAccount(a.ID), encode(record), 0)
				p.Set(ctx, keyToken(hash), string(a.ID), 0)
			})
		}, keyToken(hash), keyAccount(a.ID))
	})
}

// ensuredAccount is a's record; what is there already says since when.
func ensuredAccount(ctx context.Context, tx *redis.Tx, a renga.Account) (accountRecord, error) {
	record := newAccountRecord(a)
	stored, err := tx.Get(ctx, keyAccount(a.ID)).Result()
	if missing(err) {
		return record, nil
	}
	if err != nil {
		return record, err
	}
	old, err := decode[accountRecord](keyAccount(a.ID), stored)
	if err != nil {
		return record, err
	}
	record.CreatedAt = old.CreatedAt
	if old.Email == record.Email {
		record.UpdatedAt = old.UpdatedAt
	}
	return record, nil
}

// AccountByToken finds whose API token this is. An unknown one is
// renga.Unauthorized.
func (s *Store) AccountByToken(ctx context.Context, token string) (renga.Account, error) {
	var a renga.Account
	err := s.do(ctx, "find account by token", func(ctx context.Context) error {
		var id *redis.StringCmd
		if err := s.read(ctx, func(p redis.Pipeliner) { id = p.Get(ctx, keyToken(tokenHash(token))) }); err != nil {
			return err
		}
		if missing(id.Err()) {
			return renga.Errorf(renga.Unauthorized, "This API token is not valid.")
		}
		var err error
		a, err = s.account(ctx, renga.AccountID(id.Val()))
		return err
	})
	return a, err
}

// Account reads one account; renga.NotFound when there is none of that id.
func (s *Store) Account(ctx context.Context, id renga.AccountID) (renga.Account, error) {
	var a renga.Account
	err := s.do(ctx, "read account "+string(id), func(ctx context.Context) (err error) {
		a, err = s.account(ctx, id)
		return err
	})
	return a, err
}

func (s *Store) account(ctx context.Context, id renga.AccountID) (renga.Account, error) {
	var stored *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyAccount(id)) }); err != nil {
		return renga.Account{}, err
	}
	if missing(stored.Err()) {
		return renga.Account{}, renga.Errorf(renga.NotFound, "Couldn't find account %s.", id)
	}
	r, err := decode[accountRecord](keyAccount(id), stored.Val())
	return r.account(), err
}

// tokenHash is how a token is stored. Tokens are long and random, so a plain
// hash cannot be searched.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
