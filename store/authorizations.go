package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"renga"
)

// maxGrants bounds how many authorizations an account has: each login makes one.
const maxGrants = 1000

// grants are an account's authorizations by their ids.
type grants map[string]authorizationRecord

// Bearer finds the account and the authorization of a token. An unknown one,
// and one whose authorization is over or revoked, is renga.Unauthorized.
func (s *Store) Bearer(ctx context.Context, token string) (renga.Bearer, error) {
	var b renga.Bearer
	err := s.do(ctx, "find account by token", func(ctx context.Context) (err error) {
		b, err = s.bearer(ctx, token)
		return err
	})
	return b, err
}

func (s *Store) bearer(ctx context.Context, token string) (renga.Bearer, error) {
	unknown := renga.Errorf(renga.Unauthorized, "This API token is not valid.")
	hash := tokenHash(token)
	var stored *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyToken(hash)) }); err != nil {
		return renga.Bearer{}, err
	}
	if missing(stored.Err()) {
		return renga.Bearer{}, unknown
	}
	holder, err := decodeToken(hash, stored.Val())
	if err != nil {
		return renga.Bearer{}, err
	}
	if holder.Grant == "" {
		return s.adoptToken(ctx, holder.Account, token)
	}
	var account, grant *redis.StringCmd
	err = s.read(ctx, func(p redis.Pipeliner) {
		account, grant = p.Get(ctx, keyAccount(holder.Account)), p.HGet(ctx, keyGrants(holder.Account), holder.Grant)
	})
	if err != nil {
		return renga.Bearer{}, err
	}
	if missing(account.Err()) || missing(grant.Err()) {
		return renga.Bearer{}, unknown
	}
	b, tokenNow, err := decodeBearer(holder, account.Val(), grant.Val())
	if err == nil && (tokenNow != hash || b.Authorization.Expired(now())) {
		err = unknown
	}
	return b, err
}

// decodeBearer also gives the hash of the token that the authorization has.
func decodeBearer(holder tokenRecord, account, grant string) (b renga.Bearer, hash string, err error) {
	a, err := decode[accountRecord](keyAccount(holder.Account), account)
	if err != nil {
		return b, "", err
	}
	g, err := decode[authorizationRecord](keyGrants(holder.Account), grant)
	return renga.Bearer{Account: a.account(), Authorization: g.authorization(a.ID, holder.Grant)}, g.Token, err
}

// decodeToken reads who holds a token. Before there were authorizations it was
// the bare id of an account.
func decodeToken(hash, text string) (tokenRecord, error) {
	if !strings.HasPrefix(text, "{") {
		return tokenRecord{Account: renga.AccountID(text)}, nil
	}
	return decode[tokenRecord](keyToken(hash), text)
}

// adoptToken makes an authorization for a token of a Renga that had no
// authorizations yet.
func (s *Store) adoptToken(ctx context.Context, account renga.AccountID, token string) (renga.Bearer, error) {
	r, err := s.account(ctx, account)
	if err != nil {
		return renga.Bearer{}, err
	}
	if err := s.EnsureAccount(ctx, r.account(), token); err != nil {
		return renga.Bearer{}, err
	}
	return s.bearer(ctx, token)
}

// Authorizations lists an account's authorizations that have not expired,
// oldest first.
func (s *Store) Authorizations(ctx context.Context, account renga.AccountID) ([]renga.Authorization, error) {
	records, err := readCollection[authorizationRecord](ctx, s, collection{key: keyGrants(account)})
	if err != nil {
		return nil, err
	}
	all := make([]renga.Authorization, 0, len(records))
	for id, r := range records {
		if a := r.authorization(account, id); !a.Expired(now()) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b renga.Authorization) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// SaveAuthorization writes a new authorization and its token. One that was made
// with a password that the account has no more is renga.Unauthorized.
func (s *Store) SaveAuthorization(ctx context.Context, a renga.Authorization, token string) error {
	return s.editGrants(ctx, a.Account, func(tx *redis.Tx, all grants) error {
		if err := passwordStands(ctx, tx, a); err != nil {
			return err
		}
		if len(all) >= maxGrants {
			return renga.Errorf(renga.Invalid, "This account has %d authorizations; revoke some first.", len(all))
		}
		all[a.ID] = newAuthorizationRecord(a, tokenHash(token))
		return nil
	})
}

// UpdateAuthorization lets edit change an authorization; its token stays.
// renga.NotFound when the account has none of that id.
func (s *Store) UpdateAuthorization(ctx context.Context, account renga.AccountID, id string,
	edit func(*renga.Authorization) error) (renga.Authorization, error) {
	var a renga.Authorization
	err := s.editGrants(ctx, account, func(_ *redis.Tx, all grants) error {
		r, there := all[id]
		if !there {
			return noGrant(id)
		}
		a = r.authorization(account, id)
		if err := edit(&a); err != nil {
			return err
		}
		all[id] = newAuthorizationRecord(a, r.Token)
		return nil
	})
	return a, err
}

// ReplaceToken gives an authorization another token, which lasts as long as the
// old one was to; the old one is no longer valid. renga.NotFound when the
// account has none of that id.
func (s *Store) ReplaceToken(ctx context.Context, account renga.AccountID,
	id, token string) (renga.Authorization, error) {
	var a renga.Authorization
	err := s.editGrants(ctx, account, func(_ *redis.Tx, all grants) error {
		r, there := all[id]
		if !there {
			return noGrant(id)
		}
		r.Token, r.Redacted, r.UpdatedAt = tokenHash(token), renga.RedactToken(token), now()
		if r.Lifetime > 0 {
			r.ExpiresAt = r.UpdatedAt.Add(r.Lifetime)
		}
		all[id], a = r, r.authorization(account, id)
		return nil
	})
	return a, err
}

// DeleteAuthorization removes an authorization; its token is no longer valid.
// renga.NotFound when the account has none of that id.
func (s *Store) DeleteAuthorization(ctx context.Context, account renga.AccountID, id string) error {
	return s.editGrants(ctx, account, func(_ *redis.Tx, all grants) error {
		if _, there := all[id]; !there {
			return noGrant(id)
		}
		delete(all, id)
		return nil
	})
}

func noGrant(id string) error {
	return renga.Errorf(renga.NotFound, "Couldn't find authorization %s.", id)
}

// editGrants lets edit change an account's authorizations, all or nothing, and
// drops those that have expired.
func (s *Store) editGrants(ctx context.Context, account renga.AccountID, edit func(tx *redis.Tx, all grants) error) error {
	return s.do(ctx, "edit authorizations of "+string(account), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			before, err := readGrants(ctx, tx, account)
			if err != nil {
				return err
			}
			after := maps.Clone(before)
			maps.DeleteFunc(after, func(id string, r authorizationRecord) bool {
				return r.authorization(account, id).Expired(now())
			})
			if err := edit(tx, after); err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { writeGrants(ctx, p, account, before, after) })
		}, keyGrants(account), keyAccount(account))
	})
}

func readGrants(ctx context.Context, tx *redis.Tx, account renga.AccountID) (grants, error) {
	fields, err := tx.HGetAll(ctx, keyGrants(account)).Result()
	if err != nil {
		return nil, err
	}
	return decodeCollection[authorizationRecord](keyGrants(account), fields)
}

// writeGrants writes what changed, and with it which tokens there are.
func writeGrants(ctx context.Context, p redis.Pipeliner, account renga.AccountID, before, after grants) {
	for id, r := range before {
		if after[id].Token != r.Token {
			p.Del(ctx, keyToken(r.Token))
		}
		if _, kept := after[id]; !kept {
			p.HDel(ctx, keyGrants(account), id)
		}
	}
	for id, r := range after {
		if encode(r) == encode(before[id]) {
			continue
		}
		p.HSet(ctx, keyGrants(account), id, encode(r))
		p.Set(ctx, keyToken(r.Token), encode(tokenRecord{Account: account, Grant: id}), untilExpired(r.ExpiresAt))
	}
}

// untilExpired is how long Redis is to keep a token; 0 is for ever.
func untilExpired(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(time.Until(at), time.Millisecond)
}

func readToken(ctx context.Context, tx *redis.Tx, hash string) (holder tokenRecord, known bool, err error) {
	stored, err := tx.Get(ctx, keyToken(hash)).Result()
	if missing(err) {
		return holder, false, nil
	}
	if err != nil {
		return holder, false, err
	}
	holder, err = decodeToken(hash, stored)
	return holder, true, err
}

// withDefault is g with that token as the account's default authorization,
// in place of the one before.
func (g grants) withDefault(a renga.Account, token string) grants {
	after := maps.Clone(g)
	maps.DeleteFunc(after, func(_ string, r authorizationRecord) bool { return r.Default })
	after[uuid.NewString()] = newAuthorizationRecord(renga.Authorization{
		Description: "Default authorization", Scopes: renga.Scopes{renga.ScopeGlobal}, Default: true,
		Redacted: renga.RedactToken(token), CreatedAt: a.CreatedAt, UpdatedAt: now(),
	}, tokenHash(token))
	return after
}

// tokenHash is how a token is stored. Tokens are long and random, so a plain
// hash cannot be searched.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

type authorizationRecord struct {
	Description string       `json:"description"`
	Scopes      renga.Scopes `json:"scopes"`
	Default     bool         `json:"default,omitempty"`
	Token       string       `json:"token"` // its hash
	Redacted    string       `json:"redacted"`
	Password    string       `json:"password,omitempty"` // names the one that it is a login with
	App         renga.AppID  `json:"app,omitempty"`      // whose images alone it reaches
	CreatedAt   time.Time    `json:"created_at,omitzero"`
	UpdatedAt   time.Time    `json:"updated_at,omitzero"`
	ExpiresAt   time.Time    `json:"expires_at,omitzero"`

	Lifetime time.Duration `json:"lifetime,omitempty"`
}

// tokenRecord says which authorization a token belongs to.
type tokenRecord struct {
	Account renga.AccountID `json:"account"`
	Grant   string          `json:"grant"`
}

func newAuthorizationRecord(a renga.Authorization, hash string) authorizationRecord {
	return authorizationRecord{
		Description: a.Description, Scopes: a.Scopes, Default: a.Default, Token: hash, Redacted: a.Redacted,
		Password: a.Password, App: a.App,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(), Lifetime: a.Lifetime,
	}
}

func (r authorizationRecord) authorization(account renga.AccountID, id string) renga.Authorization {
	return renga.Authorization{
		ID: id, Account: account, Description: r.Description, Scopes: r.Scopes, Default: r.Default, Redacted: r.Redacted,
		Password: r.Password, App: r.App,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), Lifetime: r.Lifetime,
	}
}
