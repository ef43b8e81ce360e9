package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

type deliveryRecord struct {
	ID          string               `json:"id"`
	Event       string               `json:"event"`
	Kind        renga.EventKind      `json:"kind"`
	Webhook     string               `json:"webhook"`
	Level       renga.WebhookLevel   `json:"level"`
	Status      renga.DeliveryStatus `json:"status"`
	Attempts    int                  `json:"attempts,omitempty"`
	NextAttempt time.Time            `json:"next_attempt,omitzero"`
	Last        *attemptRecord       `json:"last,omitempty"`
	CreatedAt   time.Time            `json:"created_at,omitzero"`
	UpdatedAt   time.Time            `json:"updated_at,omitzero"`
}

type attemptRecord struct {
	ID        string    `json:"id"`
	Code      int       `json:"code,omitempty"`
	Error     string    `json:"error,omitempty"`
	Succeeded bool      `json:"succeeded,omitempty"`
	Began     time.Time `json:"began,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
}

// due is the delivery's entry in the queue: webhook, delivery, and the time of
// the next attempt. So the queue tells what is due without the deliveries.
func (r deliveryRecord) due() redis.Z {
	return redis.Z{Score: float64(r.NextAttempt.UnixMilli()), Member: r.Webhook + "/" + r.ID}
}

// AppsWithWebhooks lists the apps that have, or had, webhooks.
func (s *Store) AppsWithWebhooks(ctx context.Context) ([]renga.AppID, error) {
	return s.indexedApps(ctx, keyHooked)
}

// DueDeliveries lists, by webhook, an app's deliveries whose next attempt is
// due at that time, the longest due first.
func (s *Store) DueDeliveries(ctx context.Context, app renga.AppID, at time.Time) (map[string][]string, error) {
	due := map[string][]string{}
	err := s.do(ctx, "list due deliveries of app "+string(app), func(ctx context.Context) error {
		members, err := s.db.ZRangeByScore(ctx, keyDue(app),
			&redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(at.UnixMilli(), 10)}).Result()
		for _, member := range members {
			hook, id, _ := strings.Cut(member, "/")
			due[hook] = append(due[hook], id)
		}
		return err
	})
	return due, err
}

// DeliveryJob reads a delivery with its event and its webhook, secrets
// included. When one of them is gone it drops the delivery and returns
// renga.NotFound.
func (s *Store) DeliveryJob(ctx context.Context, app renga.AppID, hook, id string) (renga.DeliveryJob, error) {
	var job renga.DeliveryJob
	err := s.do(ctx, "read delivery "+id, func(ctx context.Context) error {
		var hooks, deliveries *redis.StringCmd
		if err := s.read(ctx, func(p redis.Pipeliner) {
			hooks, deliveries = p.HGet(ctx, keyWebhooks(app), hook), p.HGet(ctx, keyDeliveries(app), id)
		}); err != nil {
			return err
		}
		if missing(hooks.Err()) || missing(deliveries.Err()) {
			return s.dropDelivery(ctx, app, hook, id)
		}
		record, err := decode[deliveryRecord](keyDeliveries(app), deliveries.Val())
		if err != nil {
			return err
		}
		job.Delivery = record.delivery()
		stored, err := decode[webhookRecord](keyWebhooks(app), hooks.Val())
		if err != nil {
			return err
		}
		if ended, err := s.addOnEnded(ctx, stored.AddOn); err != nil || ended {
			if err != nil {
				return err
			}
			return s.dropDelivery(ctx, app, hook, id)
		}
		if job.Webhook, err = s.openHook(app, stored); err != nil {
			return err
		}
		if job.Event, err = s.event(ctx, app, record.Event); renga.KindOf(err) == renga.NotFound {
			return s.dropDelivery(ctx, app, hook, id)
		}
		return err
	})
	return job, err
}

// addOnEnded tells whether a webhook was the partner's of an add-on that is there no
// more: it is told nothing any more, whatever becomes of the webhook.
func (s *Store) addOnEnded(ctx context.Context, id renga.AddOnID) (bool, error) {
	if id == "" {
		return false, nil
	}
	all, err := s.someAddOns(ctx, []string{string(id)})
	return len(all) == 0 || all[0].State == renga.Deprovisioning || all[0].State == renga.Deprovisioned, err
}

// dropDelivery takes a delivery out of the queue whose webhook or event is
// gone.
func (s *Store) dropDelivery(ctx context.Context, app renga.AppID, hook, id string) error {
	gone := renga.Errorf(renga.NotFound, "Delivery %s has lost its webhook or its event.", id)
	if err := s.db.ZRem(ctx, keyDue(app), hook+"/"+id).Err(); err != nil {
		return err
	}
	return gone
}

func (s *Store) event(ctx context.Context, app renga.AppID, id string) (renga.Event, error) {
	text, err := s.db.HGet(ctx, keyEvents(app), id).Result()
	if missing(err) {
		return renga.Event{}, renga.Errorf(renga.NotFound, "Couldn't find that event.")
	}
	if err != nil {
		return renga.Event{}, err
	}
	r, err := decode[eventRecord](keyEvents(app), text)
	return r.event(), err
}

// SaveDelivery records an attempt: the delivery stays in the queue for as long
// as there is a next one. The last delivery of a removed app removes the app's
// queue.
func (s *Store) SaveDelivery(ctx context.Context, app renga.AppID, d renga.Delivery) error {
	r := newDeliveryRecord(d)
	return s.do(ctx, "save delivery "+d.ID, func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		err := s.transact(ctx, func(tx *redis.Tx) error {
			there, err := tx.HExists(ctx, keyDeliveries(app), d.ID).Result()
			if err != nil || !there { // trimmed meanwhile, or removed with its app
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.HSet(ctx, keyDeliveries(app), d.ID, encode(r))
				if d.NextAttempt.IsZero() {
					p.ZRem(ctx, keyDue(app), r.due().Member)
					return
				}
				p.ZAdd(ctx, keyDue(app), r.due())
			})
		}, keyDeliveries(app))
		if err != nil || !d.NextAttempt.IsZero() {
			return err
		}
		return s.closeQueue(ctx, app)
	})
}

// closeQueue removes the queue of a removed app once nothing is due. TrimEvents
// does so if we die before.
func (s *Store) closeQueue(ctx context.Context, app renga.AppID) error {
	var there, due *redis.IntCmd
	err := s.read(ctx, func(p redis.Pipeliner) {
		there, due = p.Exists(ctx, keyApp(app)), p.ZCard(ctx, keyDue(app))
	})
	if err != nil || there.Val()+due.Val() > 0 || app == renga.PlatformWebhooks {
		return err
	}
	return s.forgetQueue(ctx, app)
}

// Deliveries reads an app's deliveries, oldest first.
func (s *Store) Deliveries(ctx context.Context, app renga.AppID) ([]renga.Delivery, error) {
	records, err := readCollection[deliveryRecord](ctx, s, queueCollection(app, keyDeliveries(app)))
	if err != nil {
		return nil, err
	}
	all := make([]renga.Delivery, 0, len(records))
	for _, id := range slices.Sorted(maps.Keys(records)) {
		all = append(all, records[id].delivery())
	}
	return all, nil
}

// Events reads an app's events, oldest first.
func (s *Store) Events(ctx context.Context, app renga.AppID) ([]renga.Event, error) {
	records, err := readCollection[eventRecord](ctx, s, queueCollection(app, keyEvents(app)))
	if err != nil {
		return nil, err
	}
	all := make([]renga.Event, 0, len(records))
	for _, id := range slices.Sorted(maps.Keys(records)) {
		all = append(all, records[id].event())
	}
	return all, nil
}

// TrimEvents removes an app's events from before a time, and the oldest beyond
// a number, with their deliveries, tried or not. It removes everything of a
// removed app once nothing is due.
func (s *Store) TrimEvents(ctx context.Context, app renga.AppID, before time.Time, most int) error {
	return s.do(ctx, "trim events of app "+string(app), func(ctx context.Context) error {
		events, deliveries, left, err := s.queueOf(ctx, app)
		if err != nil {
			return err
		}
		if !left {
			return s.forgetQueue(ctx, app)
		}
		ids := slices.Sorted(maps.Keys(events))
		old := map[string]bool{}
		for i, id := range ids {
			old[id] = i < len(ids)-most || events[id].At.Before(before)
		}
		return s.dropEvents(ctx, app, old, deliveries)
	})
}

// queueOf reads an app's events and deliveries. left tells whether any of them
// is still needed.
func (s *Store) queueOf(ctx context.Context,
	app renga.AppID) (events map[string]eventRecord, deliveries map[string]deliveryRecord, left bool, err error) {
	var there, due *redis.IntCmd
	var stored, delivering *redis.MapStringStringCmd
	if err := s.read(ctx, func(p redis.Pipeliner) {
		there, due = p.Exists(ctx, keyApp(app)), p.ZCard(ctx, keyDue(app))
		// In this order, so that the event of each delivery is read, too.
		delivering, stored = p.HGetAll(ctx, keyDeliveries(app)), p.HGetAll(ctx, keyEvents(app))
	}); err != nil {
		return nil, nil, false, err
	}
	if events, err = decodeCollection[eventRecord](keyEvents(app), stored.Val()); err == nil {
		deliveries, err = decodeCollection[deliveryRecord](keyDeliveries(app), delivering.Val())
	}
	return events, deliveries, there.Val()+due.Val() > 0 || app == renga.PlatformWebhooks, err
}

func (s *Store) dropEvents(ctx context.Context, app renga.AppID, old map[string]bool,
	deliveries map[string]deliveryRecord) error {
	var events, done []string
	var due []any
	for id, drop := range old {
		if drop {
			events = append(events, id)
		}
	}
	for id, d := range deliveries {
		if drop, known := old[d.Event]; drop || !known {
			due, done = append(due, d.due().Member), append(done, id)
		}
	}
	return pipelined(ctx, s.db, func(p redis.Pipeliner) {
		if len(events) > 0 {
			p.HDel(ctx, keyEvents(app), events...)
		}
		if len(done) > 0 {
			p.ZRem(ctx, keyDue(app), due...)
			p.HDel(ctx, keyDeliveries(app), done...)
		}
	})
}

func (s *Store) forgetQueue(ctx context.Context, app renga.AppID) error {
	if err := s.db.Del(ctx, queueKeys(app)...).Err(); err != nil {
		return err
	}
	return s.db.SRem(ctx, keyHooked, string(app)).Err()
}

func newDeliveryRecord(d renga.Delivery) deliveryRecord {
	r := deliveryRecord{
		ID: d.ID, Event: d.Event, Kind: d.Kind, Webhook: d.Webhook, Level: d.Level, Status: d.Status, Attempts: d.Attempts,
		NextAttempt: d.NextAttempt.UTC(), CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(),
	}
	if d.Last != nil {
		last := attemptRecord(*d.Last)
		r.Last = &last
	}
	return r
}

func (r deliveryRecord) delivery() renga.Delivery {
	d := renga.Delivery{
		ID: r.ID, Event: r.Event, Kind: r.Kind, Webhook: r.Webhook, Level: r.Level, Status: r.Status, Attempts: r.Attempts,
		NextAttempt: r.NextAttempt.UTC(), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.Last != nil {
		last := renga.Attempt(*r.Last)
		d.Last = &last
	}
	return d
}
