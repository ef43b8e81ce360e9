package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/redis/go-redis/v9"

	"renga"
)

// collection is a small hash of JSON records by their ids that is read and
// written as a whole, such as an app's domains.
type collection struct {
	key string
	app renga.AppID // whose it is; empty for the platform's own
	// events gives the events of a change of the records; nil for none.
	events func(before, after map[string]string) ([]event, error)
}

// appCollection is a collection of one app; its key must be in appKeys, too.
func appCollection(app renga.AppID, key string) collection { return collection{key: key, app: app} }

// readCollection reads all records. An app that does not exist is
// renga.NotFound; a collection that was never written is empty.
func readCollection[R any](ctx context.Context, s *Store, c collection) (map[string]R, error) {
	var all map[string]R
	err := s.do(ctx, "read "+c.key, func(ctx context.Context) error {
		var fields *redis.MapStringStringCmd
		queue := func(p redis.Pipeliner) { fields = p.HGetAll(ctx, c.key) }
		var err error
		if c.app != "" {
			err = s.readOf(ctx, c.app, queue)
		} else {
			err = s.read(ctx, queue)
		}
		if err != nil {
			return err
		}
		all, err = decodeCollection[R](c.key, fields.Val())
		return err
	})
	return all, err
}

// editCollection lets edit change the records in place, all or nothing. It may
// call edit several times, and returns its error. Nothing is written for an app
// that does not exist, which is renga.NotFound.
func editCollection[R any](ctx context.Context, s *Store, c collection, edit func(all map[string]R) error) error {
	watched := []string{c.key}
	if c.app != "" {
		watched = append(watched, keyApp(c.app))
	}
	return s.do(ctx, "edit "+c.key, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return editCollectionOnce(ctx, s, tx, c, edit) }, watched...)
	})
}

// editCollectionOnce is one try of editCollection.
func editCollectionOnce[R any](ctx context.Context, s *Store, tx *redis.Tx, c collection,
	edit func(all map[string]R) error) error {
	if c.app != "" {
		there, err := tx.Exists(ctx, keyApp(c.app)).Result()
		if err != nil {
			return err
		}
		if there == 0 {
			return s.absent(ctx, c.app)
		}
	}
	before, err := tx.HGetAll(ctx, c.key).Result()
	if err != nil {
		return err
	}
	all, err := decodeCollection[R](c.key, before)
	if err != nil {
		return err
	}
	if err := edit(all); err != nil {
		return err
	}
	set, remove := collectionChanges(before, all)
	if len(set)+len(remove) == 0 {
		return nil
	}
	box, events, err := collectionEvents(ctx, tx, c, before, set, remove)
	if err != nil {
		return err
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		box.post(ctx, p, events...)
		if len(set) > 0 {
			p.HSet(ctx, c.key, set)
		}
		if len(remove) > 0 {
			p.HDel(ctx, c.key, remove...)
		}
	})
}

// collectionEvents gives the events of a change, and the outbox for them.
func collectionEvents(ctx context.Context, tx *redis.Tx, c collection, before, set map[string]string,
	remove []string) (outbox, []event, error) {
	if c.events == nil {
		return outbox{}, nil, nil
	}
	box, err := outboxOf(ctx, tx, c.app)
	if err != nil || len(box.hooks) == 0 {
		return outbox{}, nil, err
	}
	after := maps.Clone(before)
	maps.Copy(after, set)
	for _, id := range remove {
		delete(after, id)
	}
	events, err := c.events(before, after)
	return box, events, err
}

// collectionChanges lists what to write and what to remove.
func collectionChanges[R any](before map[string]string, after map[string]R) (set map[string]string, remove []string) {
	set = map[string]string{}
	for id, r := range after {
		if text := encode(r); text != before[id] {
			set[id] = text
		}
	}
	for id := range before {
		if _, kept := after[id]; !kept {
			remove = append(remove, id)
		}
	}
	return set, remove
}

func decodeCollection[R any](key string, fields map[string]string) (map[string]R, error) {
	all := make(map[string]R, len(fields))
	for id, text := range fields {
		r, err := decode[R](fmt.Sprintf("%s %s", key, id), text)
		if err != nil {
			return nil, err
		}
		all[id] = r
	}
	return all, nil
}
