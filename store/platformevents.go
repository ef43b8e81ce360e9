package store

import (
	"context"

	"github.com/redis/go-redis/v9"

	"renga"
)

// PostDiskEvent queues what the data disk has become, and what it was, for the
// platform's webhooks that want it.
func (s *Store) PostDiskEvent(ctx context.Context, was, is renga.DiskState) error {
	e := event{
		kind: renga.DiskEvent, action: renga.Update, by: renga.Platform,
		subject: subjectRecord{Disk: &is}, before: subjectRecord{Disk: &was},
	}
	return s.do(ctx, "post the disk's level", func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			stored, err := tx.HGetAll(ctx, keyWebhooks(renga.PlatformWebhooks)).Result()
			if err != nil {
				return err
			}
			records, err := decodeCollection[webhookRecord](keyWebhooks(renga.PlatformWebhooks), stored)
			if err != nil {
				return err
			}
			box := outbox{queue: renga.PlatformWebhooks}
			for _, r := range records {
				box.hooks = append(box.hooks, r)
			}
			if !box.wants(e.kind) {
				return nil
			}
			return multi(ctx, tx, func(p redis.Pipeliner) { box.post(ctx, p, e) })
		}, keyWebhooks(renga.PlatformWebhooks))
	})
}
