package store

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// StartLogin keeps a login that waits for a browser, for renga.LoginTime. It
// stores only a hash of the secret.
func (s *Store) StartLogin(ctx context.Context, l renga.PendingLogin, secret string) error {
	return s.do(ctx, "start login", func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.db.Set(ctx, keyLogin(l.ID), encode(newLoginRecord(l, tokenHash(secret))), renga.LoginTime).Err()
	})
}

// PendingLogin reads a login that is still waiting; renga.NotFound when there
// is none.
func (s *Store) PendingLogin(ctx context.Context, id string) (renga.PendingLogin, error) {
	r, err := s.login(ctx, id)
	if err == nil && r.Token != "" {
		err = noLogin()
	}
	return r.login(id), err
}

// EndLogin stores the token for the waiting client, sealed; renga.NotFound when
// the login is over.
func (s *Store) EndLogin(ctx context.Context, id, token string) error {
	sealed, err := s.seal(keyLogin(id), token)
	if err != nil {
		return err
	}
	return s.do(ctx, "end login", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			r, there, err := readRecord[loginRecord](ctx, tx, keyLogin(id))
			if err == nil && (!there || r.Token != "") {
				err = noLogin()
			}
			if err != nil {
				return err
			}
			r.Token = sealed
			return multi(ctx, tx, func(p redis.Pipeliner) { p.Set(ctx, keyLogin(id), encode(r), redis.KeepTTL) })
		}, keyLogin(id))
	})
}

// LoginToken is the token of a login, empty until somebody has logged in. A
// wrong secret is answered as a login that does not exist.
func (s *Store) LoginToken(ctx context.Context, id, secret string) (string, error) {
	r, err := s.login(ctx, id)
	if err == nil && subtle.ConstantTimeCompare([]byte(r.Secret), []byte(tokenHash(secret))) != 1 {
		err = noLogin()
	}
	if err != nil || r.Token == "" {
		return "", err
	}
	return s.unseal(keyLogin(id), r.Token)
}

func (s *Store) login(ctx context.Context, id string) (loginRecord, error) {
	var r loginRecord
	err := s.do(ctx, "read login", func(ctx context.Context) error {
		var stored *redis.StringCmd
		if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyLogin(id)) }); err != nil {
			return err
		}
		if missing(stored.Err()) {
			return noLogin()
		}
		var err error
		r, err = decode[loginRecord](keyLogin(id), stored.Val())
		return err
	})
	return r, err
}

func noLogin() error {
	return renga.Errorf(renga.NotFound, "This login is over; start it again.")
}

// loginRecord is a client that waits for somebody to log in with a browser.
type loginRecord struct {
	Description string    `json:"description,omitempty"`
	From        string    `json:"from,omitempty"`
	Secret      string    `json:"secret"`          // hash of what the client must show
	Token       string    `json:"token,omitempty"` // sealed, once somebody has logged in
	CreatedAt   time.Time `json:"created_at,omitzero"`
}

func newLoginRecord(l renga.PendingLogin, hash string) loginRecord {
	return loginRecord{Description: l.Description, From: l.From, Secret: hash, CreatedAt: l.CreatedAt.UTC()}
}

func (r loginRecord) login(id string) renga.PendingLogin {
	return renga.PendingLogin{ID: id, Description: r.Description, From: r.From, CreatedAt: r.CreatedAt}
}
