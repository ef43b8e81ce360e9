package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/redis/go-redis/v9"

	"renga"
)

// shelf is a hash of JSON records by their ids: a small collection that is read
// and written as a whole, such as an app's domains.
type shelf struct {
	key string
	app renga.AppID // whose it is; empty for the platform's own
	// news is what a change of the records means to webhooks; nil for nothing.
	news func(before, after map[string]string) ([]happening, error)
}

// appShelf is a shelf of one app's; its key must be in appKeys too.
func appShelf(app renga.AppID, key string) shelf { return shelf{key: key, app: app} }

// readShelf reads all records of a shelf. An app that is not there is
// renga.NotFound; a shelf on which nothing was ever put is empty.
func readShelf[R any](ctx context.Context, s *Store, sh shelf) (map[string]R, error) {
	var all map[string]R
	err := s.do(ctx, "read "+sh.key, func(ctx context.Context) error {
		var fields *redis.MapStringStringCmd
		queue := func(p redis.Pipeliner) { fields = p.HGetAll(ctx, sh.key) }
		var err error
		if sh.app != "" {
			err = s.readOf(ctx, sh.app, queue)
		} else {
			err = s.read(ctx, queue)
		}
		if err != nil {
			return err
		}
		all, err = decodeShelf[R](sh.key, fields.Val())
		return err
	})
	return all, err
}

// editShelf lets edit change the records of a shelf in place, all or nothing.
// edit may be called several times, and its error is the answer. Of an app that
// is not there nothing is written, and the answer is renga.NotFound.
func editShelf[R any](ctx context.Context, s *Store, sh shelf, edit func(all map[string]R) error) error {
	watched := []string{sh.key}
	if sh.app != "" {
		watched = append(watched, keyApp(sh.app))
	}
	return s.do(ctx, "edit "+sh.key, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return rearrange(ctx, s, tx, sh, edit) }, watched...)
	})
}

// rearrange is one try of editShelf.
func rearrange[R any](ctx context.Context, s *Store, tx *redis.Tx, sh shelf, edit func(all map[string]R) error) error {
	if sh.app != "" {
		there, err := tx.Exists(ctx, keyApp(sh.app)).Result()
		if err != nil {
			return err
		}
		if there == 0 {
			return s.absent(ctx, sh.app)
		}
	}
	before, err := tx.HGetAll(ctx, sh.key).Result()
	if err != nil {
		return err
	}
	all, err := decodeShelf[R](sh.key, before)
	if err != nil {
		return err
	}
	if err := edit(all); err != nil {
		return err
	}
	set, remove := shelfChanges(before, all)
	if len(set)+len(remove) == 0 {
		return nil
	}
	box, events, err := shelfEvents(ctx, tx, sh, before, set, remove)
	if err != nil {
		return err
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		box.post(ctx, p, events...)
		if len(set) > 0 {
			p.HSet(ctx, sh.key, set)
		}
		if len(remove) > 0 {
			p.HDel(ctx, sh.key, remove...)
		}
	})
}

// shelfEvents says what a change of a shelf means to webhooks, and gives the
// outbox for it.
func shelfEvents(ctx context.Context, tx *redis.Tx, sh shelf, before, set map[string]string, remove []string) (outbox, []happening, error) {
	if sh.news == nil {
		return outbox{}, nil, nil
	}
	box, err := outboxOf(ctx, tx, sh.app)
	if err != nil || len(box.hooks) == 0 {
		return outbox{}, nil, err
	}
	after := maps.Clone(before)
	maps.Copy(after, set)
	for _, id := range remove {
		delete(after, id)
	}
	events, err := sh.news(before, after)
	return box, events, err
}

// shelfChanges lists what to write and what to remove.
func shelfChanges[R any](before map[string]string, after map[string]R) (set map[string]string, remove []string) {
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

func decodeShelf[R any](key string, fields map[string]string) (map[string]R, error) {
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
