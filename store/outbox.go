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

// Facts that webhooks tell are recorded in the transaction that makes them
// facts: there is no moment at which Renga can die between the two. With each
// event lies one delivery for each webhook that wants it, due at once. Of an app
// without webhooks nothing is recorded; whoever adds one while a fact is being
// written learns of what comes after.

// outbox takes the events of one transaction on an app.
type outbox struct {
	app   renga.App
	hooks []webhookRecord
}

// event is an event before it has its place in time.
type event struct {
	kind            renga.EventKind
	action          renga.EventAction
	by              renga.AccountID // empty for who is behind the context
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

// outboxOf reads who wants to know of an app's events.
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

// post queues events with their deliveries, as far as somebody wants them.
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

// timeID is a UUID that sorts by time, those of one process without ties.
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

// recordEvents says what became of the records of a shelf. show gives what is
// told of one, and whether it is there for others to see.
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
