package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"renga"
)

// readBatch bounds how many keys one round trip asks for.
const readBatch = 1000

// App reads one app; renga.NotFound when there is none of that id.
func (s *Store) App(ctx context.Context, id renga.AppID) (renga.App, error) {
	var a renga.App
	err := s.do(ctx, "read app "+string(id), func(ctx context.Context) (err error) {
		a, err = s.app(ctx, id)
		return err
	})
	return a, err
}

func (s *Store) app(ctx context.Context, id renga.AppID) (renga.App, error) {
	var stored *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyApp(id)) }); err != nil {
		return renga.App{}, err
	}
	if missing(stored.Err()) {
		return renga.App{}, s.absent(ctx, id)
	}
	return decodeApp(id, stored.Val())
}

func decodeApp(id renga.AppID, text string) (renga.App, error) {
	r, err := decode[appRecord](keyApp(id), text)
	return r.app(), err
}

// absent is the error for an app whose keys are missing. It is renga.NotFound
// only if the app was removed, not if Redis lost its data, whole or in part.
func (s *Store) absent(ctx context.Context, id renga.AppID) error {
	var entry *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { entry = p.HGet(ctx, keyApps, string(id)) }); err != nil {
		return err
	}
	if missing(entry.Err()) {
		return notFound(id)
	}
	l, err := decode[listing](keyApps, entry.Val())
	if err != nil || l.Removing {
		return cmp.Or(err, error(notFound(id)))
	}
	return renga.Errorf(renga.Unavailable,
		"Redis has lost the data of app %s; run `renga recover` to rebuild it from the registry.", l.Name)
}

// AppByName reads the app that has the name; renga.NotFound when none has.
func (s *Store) AppByName(ctx context.Context, name string) (renga.App, error) {
	var a renga.App
	err := s.do(ctx, "read app "+name, func(ctx context.Context) error {
		id, err := s.idByName(ctx, name)
		if err != nil {
			return err
		}
		a, err = s.app(ctx, id)
		return err
	})
	return a, err
}

// idByName looks a name up. A name that is only claimed is not found.
func (s *Store) idByName(ctx context.Context, name string) (renga.AppID, error) {
	nobody := renga.Errorf(renga.NotFound, "Couldn't find app %q.", name)
	var id *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { id = p.Get(ctx, keyName(name)) }); err != nil {
		return "", err
	}
	if missing(id.Err()) {
		return "", nobody
	}
	var entry *redis.StringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { entry = p.HGet(ctx, keyApps, id.Val()) }); err != nil {
		return "", err
	}
	if missing(entry.Err()) {
		return "", nobody
	}
	l, err := decode[listing](keyApps, entry.Val())
	if err == nil && l.Name != name {
		err = nobody
	}
	return renga.AppID(id.Val()), err
}

// AppIDs lists all apps in order of their ids, also those being removed.
func (s *Store) AppIDs(ctx context.Context) ([]renga.AppID, error) {
	var ids []renga.AppID
	err := s.do(ctx, "list apps", func(ctx context.Context) (err error) {
		ids, err = s.appIDs(ctx)
		return err
	})
	return ids, err
}

func (s *Store) appIDs(ctx context.Context) ([]renga.AppID, error) {
	var listed *redis.StringSliceCmd
	if err := s.read(ctx, func(p redis.Pipeliner) { listed = p.HKeys(ctx, keyApps) }); err != nil {
		return nil, err
	}
	ids := make([]renga.AppID, 0, len(listed.Val()))
	for _, id := range listed.Val() {
		ids = append(ids, renga.AppID(id))
	}
	slices.Sort(ids)
	return ids, nil
}

// Apps reads all apps, in order of their names.
func (s *Store) Apps(ctx context.Context) ([]renga.App, error) {
	var apps []renga.App
	err := s.do(ctx, "read all apps", func(ctx context.Context) error {
		ids, err := s.appIDs(ctx)
		if err != nil {
			return err
		}
		apps, err = s.someApps(ctx, ids)
		return err
	})
	slices.SortFunc(apps, func(a, b renga.App) int { return cmp.Compare(a.Name, b.Name) })
	return apps, err
}

// SomeApps reads the apps of those ids, in their order. Apps that are not there
// are left out.
func (s *Store) SomeApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error) {
	var apps []renga.App
	err := s.do(ctx, fmt.Sprintf("read %d apps", len(ids)), func(ctx context.Context) (err error) {
		apps, err = s.someApps(ctx, ids)
		return err
	})
	return apps, err
}

func (s *Store) someApps(ctx context.Context, ids []renga.AppID) ([]renga.App, error) {
	var apps []renga.App
	for batch := range slices.Chunk(ids, readBatch) {
		some, err := s.appBatch(ctx, batch)
		if err != nil {
			return nil, err
		}
		apps = append(apps, some...)
	}
	return apps, nil
}

func (s *Store) appBatch(ctx context.Context, ids []renga.AppID) ([]renga.App, error) {
	stored := make([]*redis.StringCmd, len(ids))
	err := s.read(ctx, func(p redis.Pipeliner) {
		for i, id := range ids {
			stored[i] = p.Get(ctx, keyApp(id))
		}
	})
	if err != nil {
		return nil, err
	}
	apps := make([]renga.App, 0, len(ids))
	for i, id := range ids {
		if missing(stored[i].Err()) {
			if err := s.absent(ctx, id); renga.KindOf(err) != renga.NotFound {
				return nil, err
			}
			continue // removed meanwhile
		}
		a, err := decodeApp(id, stored[i].Val())
		if err != nil {
			return nil, err
		}
		apps = append(apps, a)
	}
	return apps, nil
}

// UpdateApp lets edit change an app and gives back what was written. edit may
// be called several times, and its error is the answer. Name and id stay as
// they are: changing them is renga.Invalid.
func (s *Store) UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error) {
	var a renga.App
	err := s.do(ctx, "update app "+string(id), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) (err error) {
			a, err = s.updateApp(ctx, tx, id, edit)
			return err
		}, keyApp(id))
	})
	return a, err
}

func (s *Store) updateApp(ctx context.Context, tx *redis.Tx, id renga.AppID,
	edit func(*renga.App) error) (renga.App, error) {
	stored, err := tx.Get(ctx, keyApp(id)).Result()
	if missing(err) {
		return renga.App{}, s.absent(ctx, id)
	}
	if err != nil {
		return renga.App{}, err
	}
	before, err := decodeApp(id, stored)
	if err != nil {
		return renga.App{}, err
	}
	after := before
	after.Features = maps.Clone(before.Features) // an edit that is tried again must not see its own changes
	after.Collaborators = maps.Clone(before.Collaborators)
	if err := edit(&after); err != nil {
		return renga.App{}, err
	}
	if after.Name != before.Name || after.ID != before.ID {
		return renga.App{}, renga.Errorf(renga.Invalid, "An app is not renamed by the way.")
	}
	if encode(newAppRecord(after)) == encode(newAppRecord(before)) {
		return before, nil
	}
	after.UpdatedAt = now()
	box, err := outboxOf(ctx, tx, id)
	if err != nil {
		return renga.App{}, err
	}
	if after.Deleting {
		ctx = freeing(ctx)
	}
	return after, multi(ctx, tx, func(p redis.Pipeliner) {
		p.Set(ctx, keyApp(id), encode(newAppRecord(after)), 0)
		box.post(ctx, p, appEvents(before, after)...)
	})
}
