package store

import (
	"context"

	"github.com/redis/go-redis/v9"

	"renga"
)

// A rename, like the making of an app, has steps in two slots of a Cluster:
//
//  1. claim: the new name's key gets the app's id. The app is not found by it
//     yet, and the claim is worth nothing if nothing follows.
//  2. The listing in renga:{platform}:apps gets the new name, the old name's
//     key goes, and the old name becomes an alias, in one MULTI. From now on
//     the app has the new name.
//  3. The app's own record gets it.
//
// Doing all again ends what a crash cut short.

// RenameApp gives an app another name and makes the old one an alias, which the
// registry still answers to; see AppByRepository. A name that another app has
// is renga.Conflict, an app that is not there or is going renga.NotFound. Doing
// the same again is no error.
func (s *Store) RenameApp(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	var a renga.App
	err := s.do(ctx, "rename app "+string(id)+" to "+name, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		old, err := s.app(ctx, id)
		if err == nil && old.Deleting {
			err = notFound(id)
		}
		if err != nil {
			return err
		}
		if err := s.claim(ctx, renga.App{ID: id, Name: name}); err != nil {
			return err
		}
		if err := s.renameAndList(ctx, id, name); err != nil {
			return err
		}
		a, err = s.rewriteName(ctx, id, name)
		return err
	})
	return a, err
}

// renameAndList is step 2.
func (s *Store) renameAndList(ctx context.Context, id renga.AppID, name string) error {
	return s.transact(ctx, func(tx *redis.Tx) error {
		holder, err := tx.Get(ctx, keyName(name)).Result()
		if err != nil && !missing(err) {
			return err
		}
		l, ok, err := listed(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case holder != string(id):
			return taken(name)
		case !ok || l.Removing:
			return notFound(id)
		case l.Name == name:
			return nil
		}
		return multi(ctx, tx, func(p redis.Pipeliner) {
			list(ctx, p, id, listing{Name: name})
			p.Del(ctx, keyName(l.Name))
			p.HSet(ctx, keyAliases, l.Name, string(id))
			p.HDel(ctx, keyAliases, name)
		})
	}, keyName(name), keyApps)
}

// rewriteName is step 3.
func (s *Store) rewriteName(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	var a renga.App
	err := s.transact(ctx, func(tx *redis.Tx) error {
		stored, err := tx.Get(ctx, keyApp(id)).Result()
		if missing(err) {
			return s.absent(ctx, id)
		}
		if err != nil {
			return err
		}
		if a, err = decodeApp(id, stored); err != nil || a.Name == name {
			return err
		}
		before := a
		a.Name, a.UpdatedAt = name, now()
		box, err := outboxOf(ctx, tx, id)
		if err != nil {
			return err
		}
		return multi(ctx, tx, func(p redis.Pipeliner) {
			p.Set(ctx, keyApp(id), encode(newAppRecord(a)), 0)
			box.post(ctx, p, appEvents(before, a)...)
		})
	}, keyApp(id))
	return a, err
}

// AppByRepository reads the app whose images are stored under a name in the
// registry: the app that has the name, or else the one that had it last.
// renga.NotFound when there is neither.
func (s *Store) AppByRepository(ctx context.Context, name string) (renga.App, error) {
	found, err := s.AppByName(ctx, name)
	if renga.KindOf(err) != renga.NotFound {
		return found, err
	}
	nobody := err
	err = s.do(ctx, "read app once called "+name, func(ctx context.Context) error {
		var id *redis.StringCmd
		if err := s.read(ctx, func(p redis.Pipeliner) { id = p.HGet(ctx, keyAliases, name) }); err != nil {
			return err
		}
		if missing(id.Err()) {
			return nobody
		}
		found, err = s.app(ctx, renga.AppID(id.Val()))
		return err
	})
	return found, err
}
