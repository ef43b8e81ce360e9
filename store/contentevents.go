package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// maxQueued bounds what is queued of what happens to content, for an app and for the
// platform: a client can make thousands of such events in a minute, and each may have
// a delivery for every webhook. The oldest make room for the newest, some at once.
const maxQueued, roomMade = 2000, 200

// queueCollection is one of an app's webhooks and their queue, or of the platform's.
func queueCollection(app renga.AppID, key string) collection {
	if app == renga.PlatformWebhooks {
		return collection{key: key}
	}
	return appCollection(app, key)
}

// PostContentEvent queues an event for the webhooks of its app and of the platform that
// want it.
func (s *Store) PostContentEvent(ctx context.Context, e renga.ContentEvent) error {
	r := eventRecord{
		ID: e.ID, Kind: e.Kind, Action: contentActions[e.Kind], At: e.At.UTC(), By: e.By,
		Subject: subjectRecord{Content: &e.Content},
	}
	var crowded []renga.AppID
	err := s.do(ctx, "post "+string(e.Kind)+" of "+e.Repository, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error {
			boxes, full, err := contentBoxes(ctx, tx, e)
			crowded = full
			if err != nil || len(boxes) == 0 {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				for _, box := range boxes {
					box.postRecord(ctx, p, r)
				}
			})
		}, keyApp(e.App.ID), keyWebhooks(e.App.ID), keyWebhooks(renga.PlatformWebhooks))
	})
	for _, queue := range crowded {
		err = errors.Join(err, s.TrimEvents(ctx, queue, time.Time{}, maxQueued-roomMade))
	}
	return err
}

// contentActions are what events of content are in the words of all others.
var contentActions = map[renga.EventKind]renga.EventAction{
	renga.PushEvent: renga.Create, renga.MountEvent: renga.Create, renga.PullEvent: renga.Update, renga.DeleteEvent: renga.Destroy,
}

// contentBoxes are the outboxes with a webhook that wants the event; full are those of
// them that have too much in them.
func contentBoxes(ctx context.Context, b batcher, e renga.ContentEvent) (boxes []outbox, full []renga.AppID, err error) {
	var there *redis.IntCmd
	stored, queued := map[renga.AppID]*redis.MapStringStringCmd{}, map[renga.AppID]*redis.IntCmd{}
	err = pipelined(ctx, b, func(p redis.Pipeliner) {
		there = p.Exists(ctx, keyApp(e.App.ID))
		for _, queue := range []renga.AppID{e.App.ID, renga.PlatformWebhooks} {
			stored[queue], queued[queue] = p.HGetAll(ctx, keyWebhooks(queue)), p.HLen(ctx, keyEvents(queue))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	for queue, fields := range stored {
		records, err := decodeCollection[webhookRecord](keyWebhooks(queue), fields.Val())
		if err != nil {
			return nil, nil, err
		}
		box := outbox{app: e.App, queue: queue}
		for _, r := range records {
			box.hooks = append(box.hooks, r)
		}
		if queue == e.App.ID && there.Val() == 0 || !box.wants(e.Kind) {
			continue
		}
		boxes = append(boxes, box)
		if queued[queue].Val() >= maxQueued {
			full = append(full, queue)
		}
	}
	return boxes, full, nil
}
