package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"renga"
)

// BeginRestore marks Redis as half restored: from now until EndRestore every
// other call is renga.Unavailable, also after a crash, so that a part of the
// apps is not taken for all of them. After a crash it may be called again. A
// Redis of another platform is renga.Conflict.
func (s *Store) BeginRestore(ctx context.Context, platformID string) error {
	return s.do(ctx, "begin restore", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			err := s.isOwnData(ctx, tx, platformID)
			if err != nil && !errors.Is(err, errLost) && !errors.Is(err, errRestoring) {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				if errors.Is(err, errLost) {
					writePlatform(ctx, p, platformID)
				}
				p.HSet(ctx, keyPlatform, fieldRestoring, 1)
			})
		}, keyPlatform)
	})
}

// EndRestore says that every app has been restored.
func (s *Store) EndRestore(ctx context.Context, platformID string) error {
	return s.do(ctx, "end restore", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			if err := s.restoring(ctx, tx, platformID); err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.HDel(ctx, keyPlatform, fieldRestoring) })
		}, keyPlatform)
	})
}

// restoring fails unless a restore was begun.
func (s *Store) restoring(ctx context.Context, tx *redis.Tx, platformID string) error {
	err := s.isOwnData(ctx, tx, platformID)
	switch {
	case errors.Is(err, errRestoring):
		return nil
	case err == nil:
		return renga.Errorf(renga.Internal, "restore: BeginRestore was not called")
	}
	return err
}

// Restore writes an app as the registry knows it, between BeginRestore and
// EndRestore. rs are all its releases from 1 on. The newest is current and live; an
// outcome that is not known is renga.Succeeded. The formation is one web dyno
// and none of the other process types.
//
// An app that is there with the same releases stays as it is, with its formation;
// with others, or under a name that another app has, it is renga.Conflict.
func (s *Store) Restore(ctx context.Context, platformID string, a renga.App, rs []renga.ReleaseRecord) error {
	if err := checkChain(a, rs); err != nil {
		return err
	}
	return s.do(ctx, "restore app "+a.Name, func(ctx context.Context) error {
		err := s.transact(ctx, func(tx *redis.Tx) error { return s.restoring(ctx, tx, platformID) }, keyPlatform)
		if err != nil {
			return err
		}
		if err := s.claim(ctx, a); err != nil {
			return err
		}
		err = s.transact(ctx, func(tx *redis.Tx) error { return s.restoreKeys(ctx, tx, a, rs) }, keyApp(a.ID))
		if err != nil {
			return err
		}
		return s.listRestored(ctx, a)
	})
}

// listRestored is confirm for an app whose keys must not be removed.
func (s *Store) listRestored(ctx context.Context, a renga.App) error {
	return s.transact(ctx, func(tx *redis.Tx) error {
		return multi(ctx, tx, func(p redis.Pipeliner) {
			list(ctx, p, a.ID, listing{Name: a.Name})
			p.HDel(ctx, keyAliases, a.Name)
		})
	}, keyName(a.Name))
}

// RestoreAlias lets a former name of a restored app lead to its repositories,
// between BeginRestore and EndRestore. A name that an app has, or that is an
// alias already, stays as it is.
func (s *Store) RestoreAlias(ctx context.Context, platformID string, app renga.AppID, name string) error {
	return s.do(ctx, "restore alias "+name, func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			if err := s.restoring(ctx, tx, platformID); err != nil {
				return err
			}
			taken, err := tx.Exists(ctx, keyName(name)).Result()
			if err != nil || taken > 0 {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { p.HSetNX(ctx, keyAliases, name, string(app)) })
		}, keyPlatform, keyName(name))
	})
}

// RestoreAccount makes an account that an app belongs to, without a password,
// between BeginRestore and EndRestore. It leaves an existing account as it is;
// an email of another account is renga.Conflict.
func (s *Store) RestoreAccount(ctx context.Context, platformID string, a renga.Account) error {
	return s.do(ctx, "restore account "+string(a.ID), func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			if err := s.restoring(ctx, tx, platformID); err != nil {
				return err
			}
			_, there, err := readRecord[accountRecord](ctx, tx, keyAccount(a.ID))
			if err != nil || there {
				return err
			}
			if err := emailFree(ctx, tx, a.Email); err != nil {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { writeAccount(ctx, p, accountRecord{}.with(a)) })
		}, keyPlatform, keyAccount(a.ID), keyEmail(a.Email))
	})
}

// RestoreAddOn writes an add-on as its note says, between BeginRestore and EndRestore,
// after the apps that it is attached to. One that is there stays as it is. A name
// that another one has, as one that an attachment has in its app, is renga.Conflict.
func (s *Store) RestoreAddOn(ctx context.Context, platformID string, a renga.AddOn) error {
	return s.do(ctx, "restore add-on "+a.Name, func(ctx context.Context) error {
		err := s.transact(ctx, func(tx *redis.Tx) error { return s.restoring(ctx, tx, platformID) }, keyPlatform)
		if err != nil {
			return err
		}
		ids, keys := []renga.AddOnID{a.ID}, []string{keyAddOn(a.ID)}
		_, err = s.changeAddOns(ctx, ids, keys, func(all []addOnChange) error { return s.createAddOn(all, a) })
		return err
	})
}

func checkChain(a renga.App, rs []renga.ReleaseRecord) error {
	if len(rs) == 0 {
		return fmt.Errorf("restore app %s: it has no releases", a.Name)
	}
	for i, r := range rs {
		if r.App != a.ID || r.Version != i+1 {
			return fmt.Errorf("restore app %s: release %d of %d is v%d of app %s", a.Name, i+1, len(rs), r.Version, r.App)
		}
	}
	return nil
}

func (s *Store) restoreKeys(ctx context.Context, tx *redis.Tx, a renga.App, rs []renga.ReleaseRecord) error {
	stored, err := tx.Get(ctx, keyApp(a.ID)).Result()
	if err == nil {
		return sameApp(ctx, tx, a, rs, stored)
	}
	if !missing(err) {
		return err
	}
	newest := rs[len(rs)-1]
	return multi(ctx, tx, func(p redis.Pipeliner) {
		p.Set(ctx, keyApp(a.ID), encode(newAppRecord(a)), 0)
		p.Set(ctx, keyDynos(a.ID), "[]", 0)
		for _, r := range rs {
			if r.Outcome.Status == "" {
				r.Outcome = renga.Outcome{Status: renga.Succeeded, At: r.CreatedAt}
			}
			putRelease(ctx, p, r, "")
		}
		p.HSet(ctx, keyHead(a.ID), fieldCurrent, newest.Version, fieldLive, newest.Version)
		for t := range newest.Images {
			p.HSet(ctx, keyFormation(a.ID), string(t), encode(defaultScale(t)))
		}
	})
}

func defaultScale(t renga.ProcessType) scaleRecord {
	at := now()
	r := scaleRecord{Size: renga.DefaultSize, CreatedAt: at, UpdatedAt: at}
	if t == renga.Web {
		r.Quantity = 1
	}
	return r
}

// sameApp tells whether what is stored is what would be restored. Each release
// names the digest of the one before, so the newest stands for all.
func sameApp(ctx context.Context, tx *redis.Tx, a renga.App, rs []renga.ReleaseRecord, stored string) error {
	old, err := decodeApp(a.ID, stored)
	if err != nil {
		return err
	}
	current, err := tx.HGet(ctx, keyHead(a.ID), fieldCurrent).Int()
	if err != nil {
		return err
	}
	newest := rs[len(rs)-1]
	text, err := tx.HGet(ctx, keyReleases(a.ID), fmt.Sprint(newest.Version)).Result()
	if err != nil && !missing(err) {
		return err
	}
	var r releaseRecord
	if err == nil {
		if r, err = decode[releaseRecord](keyReleases(a.ID), text); err != nil {
			return err
		}
	}
	if old.Name != a.Name || current != newest.Version || r.Digest != newest.Digest {
		return renga.Errorf(renga.Conflict, "Redis holds app %s with other releases than the registry; nothing was "+
			"overwritten. Empty Redis first if the registry is right.", a.Name)
	}
	return nil
}
