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
	queue renga.AppID // whose deliveries they become
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
	AddOn        *addOnRecord        `json:"addon,omitempty"` // without its secrets
	Attachment   *attachmentRecord   `json:"attachment,omitempty"`
	Backup       *backupRecord       `json:"backup,omitempty"` // of AddOn
	Content      *renga.Content      `json:"content,omitempty"`
	Disk         *renga.DiskState    `json:"disk,omitempty"`
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
	box := outbox{queue: app}
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
	if box.wants(h.kind) {
		box.postRecord(ctx, p, h.record(ctx))
	}
}

// record is what is stored of an event, all but its app.
func (h event) record(ctx context.Context) eventRecord {
	e := eventRecord{
		ID: timeID(), Kind: h.kind, Action: h.action, At: now(), By: h.by, Subject: h.subject, Before: h.before,
	}
	if e.By == "" {
		e.By = renga.Actor(ctx)
	}
	return e
}

func (box outbox) wants(kind renga.EventKind) bool {
	return slices.ContainsFunc(box.hooks, func(r webhookRecord) bool { return r.hook().Wants(kind) })
}

// takers are the webhooks that are told of an event.
func (box outbox) takers(e eventRecord) []webhookRecord {
	return slices.DeleteFunc(slices.Clone(box.hooks), func(r webhookRecord) bool {
		return !r.hook().Wants(e.Kind) || !r.hook().Concerns(e.Subject.addOnID())
	})
}

// postRecord queues an event of the app with its deliveries, unless nobody is told
// of it.
func (box outbox) postRecord(ctx context.Context, p redis.Pipeliner, e eventRecord) {
	takers := box.takers(e)
	if len(takers) == 0 {
		return
	}
	e.App = newAppRecord(box.app)
	p.HSet(ctx, keyEvents(box.queue), e.ID, encode(e))
	for _, hook := range takers {
		d := deliveryRecord{
			ID: timeID(), Event: e.ID, Kind: e.Kind, Webhook: hook.ID, Level: hook.Level,
			Status: renga.DeliveryPending, NextAttempt: e.At, CreatedAt: e.At, UpdatedAt: e.At,
		}
		p.HSet(ctx, keyDeliveries(box.queue), d.ID, encode(d))
		p.ZAdd(ctx, keyDue(box.queue), d.due())
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

// addOnID is the add-on that something happened to, or to an attachment of it;
// empty for everything else.
func (r subjectRecord) addOnID() renga.AddOnID {
	if r.AddOn == nil {
		return ""
	}
	return r.AddOn.ID
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
	if r.AddOn != nil {
		a := r.AddOn.addOn()
		s.AddOn = &a
	}
	if r.Attachment != nil {
		at := r.Attachment.attachment()
		s.Attachment = &at
	}
	if r.Backup != nil {
		b := r.Backup.backup(app)
		s.Backup = &b
	}
	s.Content, s.Disk = r.Content, r.Disk
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
