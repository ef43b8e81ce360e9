package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// schema is the version of the layout in keys.go. It is raised when an older
// Renga could not read, or would damage, what a newer one writes.
const schema = 1

var (
	errLost = renga.Errorf(renga.Unavailable,
		"Redis holds no data of this platform; run `renga recover` to rebuild it from the registry.")
	errRestoring = renga.Errorf(renga.Unavailable,
		"Redis is being rebuilt from the registry; wait for `renga recover`, or run it again if it was cut short.")
)

// Adopt binds Redis to the platform. It must succeed before anything else is
// asked for.
//
// An empty Redis is taken into use when isNew, the platform having no data
// anywhere yet; otherwise it has lost its data, and the answer is
// renga.Unavailable, here and from every other call, until it is rebuilt.
// Redis of another platform is renga.Conflict, one written by a newer Renga
// renga.Invalid. The indexes of pipelines are made to agree with the pipelines,
// events of add-ons that a crash left are moved, and removals of apps that it cut
// short are finished.
func (s *Store) Adopt(ctx context.Context, platformID string, isNew bool) error {
	err := s.do(ctx, "adopt redis", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			err := s.isOwnData(ctx, tx, platformID)
			if !errors.Is(err, errLost) || !isNew {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { writePlatform(ctx, p, platformID) })
		}, keyPlatform)
	})
	if err != nil {
		return err
	}
	if err := s.indexPipelines(ctx); err != nil {
		return err
	}
	if err := s.forwardAddOnEvents(ctx); err != nil {
		return err
	}
	return s.finishRemovals(ctx)
}

// isOwnData tells whether Redis holds all of this platform's data.
func (s *Store) isOwnData(ctx context.Context, tx *redis.Tx, platformID string) error {
	found, err := tx.HMGet(ctx, keyPlatform, fieldID, fieldSchema, fieldRestoring).Result()
	if err != nil {
		return err
	}
	id, ok := text(found, 0)
	if !ok {
		return errLost
	}
	if id != platformID {
		return renga.Errorf(renga.Conflict, "Redis at %s belongs to another platform (%s); give this one a Redis of its "+
			"own, or its own database number.", s.where, id)
	}
	written, _ := text(found, 1)
	if n, err := strconv.Atoi(written); err != nil {
		return fmt.Errorf("read %s: schema %q", keyPlatform, written)
	} else if n > schema {
		return renga.Errorf(renga.Invalid,
			"The data in Redis was written by a newer Renga (schema %d, this one knows %d); run that version.", n, schema)
	}
	if _, restoring := text(found, 2); restoring {
		return errRestoring
	}
	return nil
}

func writePlatform(ctx context.Context, p redis.Pipeliner, id string) {
	p.HSet(ctx, keyPlatform, fieldID, id, fieldSchema, schema, fieldCreated, now().Format(time.RFC3339Nano))
}

// present fails unless the platform's data is there. Every operation reads the
// key for it in its own round trip.
func present(platform *redis.SliceCmd) error {
	if _, ok := text(platform.Val(), 0); !ok {
		return errLost
	}
	if _, restoring := text(platform.Val(), 1); restoring {
		return errRestoring
	}
	return nil
}
