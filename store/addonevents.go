package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Add-ons lie in another slot of a Cluster than the events of their apps. So an
// event of one is recorded in the transaction that makes the change, beside the
// add-ons, and moved to its app's events then, with the deliveries. It keeps its
// id, so that moving it twice is moving it once; what a crash left is moved at the
// next start.

// waitingRecord is an event that is to be moved.
type waitingRecord struct {
	App   renga.AppID `json:"app"`
	Event eventRecord `json:"event"`
}

// appEvent is an event of an app.
type appEvent struct {
	app renga.AppID
	event
}

// addOnEvents are those of changes, of apps that have webhooks.
func addOnEvents(ctx context.Context, tx *redis.Tx, all []addOnChange) ([]waitingRecord, error) {
	var events []appEvent
	for _, c := range all {
		events = append(events, c.ownEvents()...)
		events = append(events, c.attachmentEvents()...)
	}
	if len(events) == 0 {
		return nil, nil
	}
	apps := make([]any, len(events))
	for i, e := range events {
		apps[i] = string(e.app)
	}
	hooked, err := tx.SMIsMember(ctx, keyHooked, apps...).Result()
	if err != nil {
		return nil, err
	}
	var waiting []waitingRecord
	for i, e := range events {
		if hooked[i] {
			waiting = append(waiting, waitingRecord{App: e.app, Event: e.record(ctx)})
		}
	}
	return waiting, nil
}

// ownEvents are those of the app that the add-on was made for.
func (c addOnChange) ownEvents() []appEvent {
	was, is := c.before.inOwnApp(), c.after.inOwnApp()
	one := func(action renga.EventAction, subject, before subjectRecord) []appEvent {
		e := event{kind: renga.AddOnEvent, action: action, by: c.by(), subject: subject, before: before}
		return []appEvent{{cmp.Or(c.after, c.before).App, e}}
	}
	switch {
	case was == nil:
		return one(renga.Create, addOnSubject(*is), subjectRecord{})
	case is == nil:
		return one(renga.Destroy, addOnSubject(*was), subjectRecord{})
	case is.differs(*was):
		return one(renga.Update, addOnSubject(*is), addOnSubject(*was))
	}
	return nil
}

// by is who asked for the change, which the platform may make later.
func (c addOnChange) by() renga.AccountID { return cmp.Or(c.after, c.before).ChangedBy }

// inOwnApp is the add-on as far as it concerns its own app; nil of nil.
func (r *addOnRecord) inOwnApp() *addOnRecord {
	if r == nil {
		return nil
	}
	own := *r
	own.Attachments = slices.DeleteFunc(slices.Clone(r.Attachments), func(at attachmentRecord) bool {
		return at.App != r.App || at.Leaving
	})
	return &own
}

// differs tells whether others would see that an add-on is not what it was. Which
// step is under way is for those who wait.
func (r addOnRecord) differs(was addOnRecord) bool {
	for _, one := range []*addOnRecord{&r, &was} {
		one.Generation, one.ChangedBy, one.UpdatedAt = 0, "", time.Time{}
	}
	return encode(addOnSubject(r)) != encode(addOnSubject(was))
}

// attachmentEvents are those of the apps that have the add-on attached.
func (c addOnChange) attachmentEvents() []appEvent {
	was, is := c.before.attached(), c.after.attached()
	var all []appEvent
	for id, at := range is {
		old, known := was[id]
		switch {
		case !known:
			all = append(all, c.attachmentEvent(renga.Create, c.after, at, subjectRecord{}))
		case encode(old) != encode(at):
			all = append(all, c.attachmentEvent(renga.Update, c.after, at, attachmentSubject(*c.before, old)))
		}
	}
	for id, at := range was {
		if _, kept := is[id]; !kept {
			all = append(all, c.attachmentEvent(renga.Destroy, c.before, at, subjectRecord{}))
		}
	}
	slices.SortFunc(all, func(a, b appEvent) int { return cmp.Compare(a.subject.Attachment.ID, b.subject.Attachment.ID) })
	return all
}

func (c addOnChange) attachmentEvent(action renga.EventAction, of *addOnRecord, at attachmentRecord,
	before subjectRecord) appEvent {
	return appEvent{at.App, event{
		kind: renga.AttachmentEvent, action: action, by: c.by(), subject: attachmentSubject(*of, at), before: before,
	}}
}

// attached are the attachments that are not leaving, by id; none of nil.
func (r *addOnRecord) attached() map[string]attachmentRecord {
	all := map[string]attachmentRecord{}
	if r != nil {
		for _, at := range r.Attachments {
			if !at.Leaving {
				all[at.ID] = at
			}
		}
	}
	return all
}

// addOnSubject is an add-on without its secrets.
func addOnSubject(r addOnRecord) subjectRecord {
	r.Admin, r.Credentials, r.Partner.Config, r.Step = "", nil, nil, ""
	return subjectRecord{AddOn: &r}
}

func attachmentSubject(r addOnRecord, at attachmentRecord) subjectRecord {
	subject := addOnSubject(r)
	subject.AddOn.Attachments, subject.Attachment = nil, &at
	return subject
}

// forwardAddOnEvents moves the events that wait, in their order.
func (s *Store) forwardAddOnEvents(ctx context.Context) error {
	return s.do(ctx, "move events of add-ons", func(ctx context.Context) error {
		stored, err := s.db.HGetAll(ctx, keyAddOnEvents).Result()
		if err != nil {
			return err
		}
		waiting, err := decodeCollection[waitingRecord](keyAddOnEvents, stored)
		if err != nil {
			return err
		}
		ids := make([]string, 0, len(waiting))
		for id := range waiting {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			if err := s.forward(ctx, waiting[id]); err != nil {
				return err
			}
			if err := s.db.HDel(ctx, keyAddOnEvents, id).Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// forward moves one event, unless its app has it already, or nobody wants it.
func (s *Store) forward(ctx context.Context, waiting waitingRecord) error {
	return s.transact(ctx, func(tx *redis.Tx) error {
		there, err := tx.HExists(ctx, keyEvents(waiting.App), waiting.Event.ID).Result()
		if err != nil || there {
			return err
		}
		box, err := outboxOf(ctx, tx, waiting.App)
		if err != nil || !box.wants(waiting.Event.Kind) {
			return err
		}
		return multi(ctx, tx, func(p redis.Pipeliner) { box.postRecord(ctx, p, waiting.Event) })
	}, keyEvents(waiting.App))
}
