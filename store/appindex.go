package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"renga"
)

// An index names the apps that have something, so that nobody need look at all apps
// for it. It may name apps that have it no more, and misses none that has it.

func (s *Store) indexApp(ctx context.Context, index string, app renga.AppID) error {
	return s.do(ctx, "index app "+string(app)+" in "+index, func(ctx context.Context) error {
		return s.db.SAdd(ctx, index, string(app)).Err()
	})
}

func (s *Store) unindexApp(ctx context.Context, index string, app renga.AppID) error {
	return s.do(ctx, "remove app "+string(app)+" from "+index, func(ctx context.Context) error {
		return s.db.SRem(ctx, index, string(app)).Err()
	})
}

// indexedApps are the apps of an index, in order.
func (s *Store) indexedApps(ctx context.Context, index string) ([]renga.AppID, error) {
	var ids []renga.AppID
	err := s.do(ctx, "read "+index, func(ctx context.Context) error {
		var members *redis.StringSliceCmd
		err := s.read(ctx, func(p redis.Pipeliner) { members = p.SMembers(ctx, index) })
		if err != nil {
			return err
		}
		ids = nil
		for _, id := range members.Val() {
			ids = append(ids, renga.AppID(id))
		}
		slices.Sort(ids)
		return nil
	})
	return ids, err
}
