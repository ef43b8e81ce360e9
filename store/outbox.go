package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"renga"
)

// An event is recorded in the very transaction that makes the change, so that
// Renga cannot die between the two. With it are recorded its deliveries, one
// for each webhook that wants it, due at once. Nothing is recorded for an app
// without webhooks; a webhook that is added during a change gets the events
// after it.

// outbox records the events of one transaction on an app.
type outbox struct {
	app   renga.App
	hooks []webhookRecord
}

// event is a renga.Event before it has an id and a time.
type event struct {
	kind            renga.EventKind
	action          renga.EventAction
	by              renga.AccountID // empty for the actor of the context
	subject, before subjectRecord
}

type eventRecord struct {
	ID      string            `json:"id"`
	Kind    renga.EventKind   `json:"kind"`
	Action  renga.EventAction `json:"action"`
	At      time.Time         `json:"at"`
	By      renga.AccountID   `json:"by,omitempty"`
	App     appRecord         `json:"app"`
	Subject subjectRecord     `json:"subject"`
	Before  subjectRecord     `json:"before"`
}

type subjectRecord struct {
	App          *appRecord          `json:"app,omitempty"`
	Release      *releaseRecord      `json:"release,omitempty"`
	Outcome      *outcomeRecord      `json:"outcome,omitempty"`
	Live         bool                `json:"live,omitempty"`
	Dyno         *dynoRecord         `json:"dyno,omitempty"`
	Type         renga.ProcessType   `json:"type,omitempty"`
	Scale        *scaleRecord        `json:"scale,omitempty"`
	Account      renga.AccountID     `json:"account,omitempty"`
	Collaborator *collaboratorRecord `json:"collaborator,omitempty"`
	ID           string              `json:"id,omitempty"` // of a domain or an endpoint
	Domain       *domainRecord       `json:"domain,omitempty"`
	Endpoint     *endpointRecord     `json:"endpoint,omitempty"`
}

// outboxOf reads the webhooks that want an app's events.
func outboxOf(ctx context.Context, b batcher, app renga.AppID) (outbox, error) {
	var hooks *redis.MapStringStringCmd
	var stored *redis.StringCmd
	err := pipelined(ctx, b, func(p redis.Pipeliner) {
		hooks = p.HGetAll(ctx, keyWebhooks(app))
		stored = p.Get(ctx, keyApp(app))
	})
	if err != nil || len(hooks.Val()) == 0 || stored.Err() != nil {
		return outbox{}, err
	}
	records, err := decodeCollection[webhookRecord](keyWebhooks(app), hooks.Val())
	if err != nil {
		return outbox{}, err
	}
	box := outbox{}
	for _, r := range records {
		box.hooks = append(box.hooks, r)
	}
	box.app, err = decodeApp(app, stored.Val())
	return box, err
}

// post queues the events that a webhook wants, with their deliveries.
func (box outbox) post(ctx context.Context, p redis.Pipeliner, all ...event) {
	for _, h := range all {
		box.postOne(ctx, p, h)
	}
}

func (box outbox) postOne(ctx context.Context, p redis.Pipeliner, h event) {
	takers := slices.DeleteFunc(slices.Clone(box.hooks), func(r webhookRecord) bool { return !r.hook().Wants(h.kind) })
	if len(takers) == 0 {
		return
	}
	e := eventRecord{
		ID: timeID(), Kind: h.kind, Action: h.action, At: now(), By: h.by, App: newAppRecord(box.app),
		Subject: h.subject, Before: h.before,
	}
	if e.By == "" {
		e.By = renga.Actor(ctx)
	}
	p.HSet(ctx, keyEvents(box.app.ID), e.ID, encode(e))
	for _, hook := range takers {
		d := deliveryRecord{
			ID: timeID(), Event: e.ID, Kind: e.Kind, Webhook: hook.ID, Level: hook.Level,
			Status: renga.DeliveryPending, NextAttempt: e.At, CreatedAt: e.At, UpdatedAt: e.At,
		}
		p.HSet(ctx, keyDeliveries(box.app.ID), d.ID, encode(d))
		p.ZAdd(ctx, keyDue(box.app.ID), d.due())
	}
}

// timeID is a UUID that sorts by time, strictly within one process.
func timeID() string { return uuid.Must(uuid.NewV7()).String() }

func releaseSubject(r renga.ReleaseRecord, live bool) subjectRecord {
	record, outcome := newReleaseRecord(r, ""), newOutcomeRecord(r.Outcome)
	return subjectRecord{Release: &record, Outcome: &outcome, Live: live}
}

func dynoSubject(d renga.Dyno) subjectRecord {
	record := newDynoRecord(d)
	return subjectRecord{Dyno: &record}
}

func scaleSubject(t renga.ProcessType, s renga.Scale) subjectRecord {
	record := newScaleRecord(s)
	return subjectRecord{Type: t, Scale: &record}
}

func appSubject(a renga.App) subjectRecord {
	record := newAppRecord(a)
	return subjectRecord{App: &record}
}

func (r eventRecord) event() renga.Event {
	app := r.App.app()
	return renga.Event{
		ID: r.ID, Kind: r.Kind, Action: r.Action, At: r.At.UTC(), By: r.By, App: app,
		Subject: r.Subject.subject(app.ID), Before: r.Before.subject(app.ID),
	}
}

func (r subjectRecord) subject(app renga.AppID) renga.Subject {
	var s renga.Subject
	if r.App != nil {
		a := r.App.app()
		s.App = &a
	}
	if r.Release != nil && r.Outcome != nil {
		rel := r.Release.release(app, r.Outcome.outcome())
		rel.Live = r.Live
		s.Release = &rel
	}
	if r.Dyno != nil {
		d := r.Dyno.dyno(app)
		s.Dyno = &d
	}
	if r.Scale != nil {
		s.Process = &renga.Process{Type: r.Type, Scale: r.Scale.scale()}
	}
	if r.Collaborator != nil {
		c := r.Collaborator.collaborator(r.Account)
		s.Collaborator = &c
	}
	if r.Domain != nil {
		d := r.Domain.domain(app, r.ID)
		s.Domain = &d
	}
	if r.Endpoint != nil {
		e := r.Endpoint.endpoint(app, r.ID)
		s.Endpoint = &e
	}
	return s
}

// recordEvents gives the events of a change of a collection. show gives the
// subject of a record, and whether others see the record at all.
func recordEvents[R any](kind renga.EventKind, before, after map[string]string,
	show func(id string, r R) (subjectRecord, bool)) ([]event, error) {
	was, err := subjectsOf(kind, before, show)
	if err != nil {
		return nil, err
	}
	is, err := subjectsOf(kind, after, show)
	if err != nil {
		return nil, err
	}
	var all []event
	for _, id := range slices.Sorted(maps.Keys(is)) {
		old, known := was[id]
		switch {
		case !known:
			all = append(all, event{kind: kind, action: renga.Create, subject: is[id]})
		case before[id] != after[id]:
			all = append(all, event{kind: kind, action: renga.Update, subject: is[id], before: old})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was)) {
		if _, kept := is[id]; !kept {
			all = append(all, event{kind: kind, action: renga.Destroy, subject: was[id]})
		}
	}
	return all, nil
}

func subjectsOf[R any](kind renga.EventKind, fields map[string]string,
	show func(id string, r R) (subjectRecord, bool)) (map[string]subjectRecord, error) {
	records, err := decodeCollection[R](string(kind), fields)
	if err != nil {
		return nil, err
	}
	all := map[string]subjectRecord{}
	for id, r := range records {
		if subject, seen := show(id, r); seen {
			all[id] = subject
		}
	}
	return all, nil
}
