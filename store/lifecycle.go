package store

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"renga"
)

// How an app is created. Its keys and the names lie in different slots of a
// Cluster, so no single transaction can write both; there are three steps:
//
//  1. claim: the name's key gets the app's id.
//  2. The app's own keys, first release included, in one MULTI.
//  3. confirm: if the name's key still has the app's id, the app is listed in
//     renga:{platform}:apps. Only from now on it exists.
//
// A crash before step 3 leaves a claim without a listing. The next call that
// wants the name takes it over: it replaces the claim under WATCH on both keys,
// so of it and an earlier call that was only slow one succeeds. The other
// removes its keys and answers that the name is taken. No clock is involved.

// CreateApp makes an app together with its first release, which is current and
// live. A name that another app has is renga.Conflict. Creating the same app,
// by id, again is no error.
func (s *Store) CreateApp(ctx context.Context, a renga.App, v1 renga.ReleaseRecord) error {
	if v1.App != a.ID || v1.Version != 1 {
		return renga.Errorf(renga.Internal, "create app %s: the first release is v%d of %s", a.ID, v1.Version, v1.App)
	}
	return s.do(ctx, "create app "+a.Name, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		if err := s.claim(ctx, a); err != nil {
			return err
		}
		if err := s.writeApp(ctx, a, v1); err != nil {
			return err
		}
		return s.confirm(ctx, a)
	})
}

func taken(name string) error {
	return renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
}

// claim is step 1. It fails if the app that has the name is listed.
func (s *Store) claim(ctx context.Context, a renga.App) error {
	free, err := s.db.SetNX(ctx, keyName(a.Name), string(a.ID), 0).Result()
	if err != nil || free {
		return err
	}
	var abandoned renga.AppID
	err = s.transact(ctx, func(tx *redis.Tx) (err error) {
		abandoned, err = takeOver(ctx, tx, a)
		return err
	}, keyName(a.Name), keyApps)
	if err != nil || abandoned == "" {
		return err
	}
	return s.db.Del(ctx, appKeys(abandoned)...).Err()
}

// takeOver replaces a claim that was never confirmed, and returns the app that
// had it; empty if no other had.
func takeOver(ctx context.Context, tx *redis.Tx, a renga.App) (renga.AppID, error) {
	holder, err := tx.Get(ctx, keyName(a.Name)).Result()
	if err != nil && !missing(err) {
		return "", err
	}
	if holder == string(a.ID) {
		return "", nil
	}
	l, listed, err := listed(ctx, tx, renga.AppID(holder))
	if err != nil {
		return "", err
	}
	if listed && l.Name == a.Name {
		return "", taken(a.Name)
	}
	err = multi(ctx, tx, func(p redis.Pipeliner) { p.Set(ctx, keyName(a.Name), string(a.ID), 0) })
	if listed { // a rename that went no further; the app lives on under its name
		holder = ""
	}
	return renga.AppID(holder), err
}

// listed reads an app's entry in the index of all apps.
func listed(ctx context.Context, tx *redis.Tx, id renga.AppID) (l listing, ok bool, err error) {
	entry, err := tx.HGet(ctx, keyApps, string(id)).Result()
	if missing(err) {
		return listing{}, false, nil
	}
	if err == nil {
		l, err = decode[listing](keyApps, entry)
	}
	return l, err == nil, err
}

// writeApp is step 2. It keeps keys that an earlier try wrote.
func (s *Store) writeApp(ctx context.Context, a renga.App, v1 renga.ReleaseRecord) error {
	v1.Outcome.Status = renga.Succeeded
	v1.Outcome.At = orNow(v1.Outcome.At)
	return s.transact(ctx, func(tx *redis.Tx) error {
		n, err := tx.Exists(ctx, keyApp(a.ID)).Result()
		if err != nil || n > 0 {
			return err
		}
		return multi(ctx, tx, func(p redis.Pipeliner) {
			p.Set(ctx, keyApp(a.ID), encode(newAppRecord(a)), 0)
			p.Set(ctx, keyDynos(a.ID), "[]", 0)
			putRelease(ctx, p, v1, "")
			p.HSet(ctx, keyHead(a.ID), fieldCurrent, 1, fieldLive, 1)
		})
	}, keyApp(a.ID))
}

// confirm is step 3.
func (s *Store) confirm(ctx context.Context, a renga.App) error {
	err := s.transact(ctx, func(tx *redis.Tx) error {
		holder, err := tx.Get(ctx, keyName(a.Name)).Result()
		if err != nil && !missing(err) {
			return err
		}
		if holder != string(a.ID) {
			return taken(a.Name)
		}
		return multi(ctx, tx, func(p redis.Pipeliner) {
			list(ctx, p, a.ID, listing{Name: a.Name})
			p.HDel(ctx, keyAliases, a.Name)
		})
	}, keyName(a.Name))
	if renga.KindOf(err) != renga.Conflict {
		return err
	}
	if cleanup := s.db.Del(ctx, appKeys(a.ID)...).Err(); cleanup != nil {
		return cleanup
	}
	return err
}

func list(ctx context.Context, p redis.Pipeliner, id renga.AppID, l listing) {
	p.HSet(ctx, keyApps, string(id), encode(l))
}

// RemoveApp removes an app with all its keys and frees its name. An app that
// does not exist is no error. If it is cut short the name stays taken, until it
// is called again or Adopt ends it at the next start.
func (s *Store) RemoveApp(ctx context.Context, id renga.AppID) error {
	return s.do(freeing(ctx), "remove app "+string(id), func(ctx context.Context) error {
		name, err := s.markRemoving(ctx, id)
		if err != nil || name == "" {
			return err
		}
		if err := s.freeAllHosts(ctx, id); err != nil {
			return err
		}
		if err := s.dropAddOns(ctx, id); err != nil {
			return err
		}
		if err := s.dropKeys(ctx, id); err != nil {
			return err
		}
		if err := s.dropBackupIndex(ctx, id); err != nil {
			return err
		}
		if err := s.uncouple(ctx, id); err != nil {
			return err
		}
		return s.unlist(ctx, id, name)
	})
}

// markRemoving notes in the listing that the app's keys are being removed, so
// that their absence is not taken for a loss. It returns the app's name; empty
// if nothing is left of the app.
func (s *Store) markRemoving(ctx context.Context, id renga.AppID) (string, error) {
	if err := s.ready(ctx); err != nil {
		return "", err
	}
	var l listing
	err := s.transact(ctx, func(tx *redis.Tx) (err error) {
		var ok bool
		if l, ok, err = listed(ctx, tx, id); err != nil || !ok || l.Removing {
			return err
		}
		l.Removing = true
		return multi(ctx, tx, func(p redis.Pipeliner) { list(ctx, p, id, l) })
	}, keyApps)
	return l.Name, err
}

// dropKeys removes all keys of an app at once, those of its pushes and runs included.
func (s *Store) dropKeys(ctx context.Context, id renga.AppID) error {
	records, err := s.db.HVals(ctx, keyReleases(id)).Result()
	if err != nil {
		return err
	}
	schedules, err := s.db.HKeys(ctx, keySchedules(id)).Result()
	if err != nil {
		return err
	}
	due, err := s.db.ZCard(ctx, keyDue(id)).Result()
	if err != nil {
		return err
	}
	keys := appKeys(id)
	for _, schedule := range schedules {
		keys = append(keys, keyRuns(id, schedule))
	}
	if due == 0 {
		keys = append(keys, queueKeys(id)...)
	}
	for _, text := range records {
		// A damaged record must not keep the app from being removed; its push
		// key expires by itself.
		if r, err := decode[releaseRecord](keyReleases(id), text); err == nil && r.Push != "" {
			keys = append(keys, keyPush(id, r.Push))
		}
	}
	return s.db.Del(ctx, keys...).Err()
}

// unlist frees the app's name and its former ones, and removes the listing.
func (s *Store) unlist(ctx context.Context, id renga.AppID, name string) error {
	return s.transact(ctx, func(tx *redis.Tx) error {
		holder, err := tx.Get(ctx, keyName(name)).Result()
		if err != nil && !missing(err) {
			return err
		}
		aliases, err := tx.HGetAll(ctx, keyAliases).Result()
		if err != nil {
			return err
		}
		return multi(ctx, tx, func(p redis.Pipeliner) {
			if holder == string(id) {
				p.Del(ctx, keyName(name))
			}
			for former, of := range aliases {
				if of == string(id) {
					p.HDel(ctx, keyAliases, former)
				}
			}
			p.HDel(ctx, keyApps, string(id))
		})
	}, keyName(name), keyAliases)
}

// finishRemovals ends the removals that a crash cut short.
func (s *Store) finishRemovals(ctx context.Context) error {
	var entries map[string]string
	err := s.do(ctx, "look for removed apps", func(ctx context.Context) (err error) {
		entries, err = s.db.HGetAll(ctx, keyApps).Result()
		return err
	})
	if err != nil {
		return err
	}
	for id, text := range entries {
		l, err := decode[listing](keyApps, text)
		if err != nil {
			return err
		}
		if !l.Removing {
			continue
		}
		s.log.Info("finish removal of app", "app", id, "name", l.Name)
		if err := s.RemoveApp(ctx, renga.AppID(id)); err != nil {
			return err
		}
	}
	return nil
}

// putRelease queues a release's record and outcome.
func putRelease(ctx context.Context, p redis.Pipeliner, r renga.ReleaseRecord, pushID string) {
	version := strconv.Itoa(r.Version)
	p.HSet(ctx, keyReleases(r.App), version, encode(newReleaseRecord(r, pushID)))
	p.HSet(ctx, keyOutcomes(r.App), version, encode(newOutcomeRecord(r.Outcome)))
}
