package store

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"renga"
)

// releaseEvents says that a release was made, and, when an image push made it,
// that a build ended well.
func releaseEvents(r renga.ReleaseRecord, pushID string) []happening {
	made := happening{
		kind: renga.ReleaseEvent, action: renga.Create, by: r.By,
		subject: releaseSubject(r, r.Outcome.Status == renga.Succeeded),
	}
	if !renga.FromPush(pushID) {
		return []happening{made}
	}
	built := made
	built.kind = renga.BuildEvent
	return []happening{built, made}
}

// commitEvents says what it means that a release is made: also for the former
// one, if that was still pending. It gives the outbox for it.
func commitEvents(ctx context.Context, tx *redis.Tx, r renga.ReleaseRecord, pushID string, former renga.Outcome) (outbox, []happening, error) {
	box, err := outboxOf(ctx, tx, r.App)
	if err != nil {
		return outbox{}, nil, err
	}
	events := releaseEvents(r, pushID)
	if former.Status == renga.Pending {
		replaced, err := box.outcomeEvents(ctx, tx, r.Version-1, former, supersededBy(r, former))
		return box, append(events, replaced...), err
	}
	return box, events, nil
}

// outcomeEvents says what became of a release, if anybody wants to know.
func (box outbox) outcomeEvents(ctx context.Context, tx *redis.Tx, version int, was, is renga.Outcome) ([]happening, error) {
	if len(box.hooks) == 0 || was.Status == is.Status {
		return nil, nil
	}
	app := box.app.ID
	stored, err := tx.HGet(ctx, keyReleases(app), strconv.Itoa(version)).Result()
	if err != nil {
		return nil, err
	}
	record, err := decode[releaseRecord](keyReleases(app), stored)
	if err != nil {
		return nil, err
	}
	return []happening{{
		kind: renga.ReleaseEvent, action: renga.Update, by: record.By,
		subject: releaseSubject(record.release(app, is), is.Status == renga.Succeeded),
		before:  releaseSubject(record.release(app, was), false),
	}}, nil
}

// dynoEvents says what became of an app's dynos between two looks.
func dynoEvents(before, after []renga.Dyno) []happening {
	var all []happening
	old := map[string]renga.Dyno{}
	for _, d := range before {
		old[d.ID] = d
	}
	for _, d := range after {
		was, known := old[d.ID]
		delete(old, d.ID)
		switch {
		case !known:
			all = append(all, happening{kind: renga.DynoEvent, action: renga.Create, subject: dynoSubject(d)})
		case was.State != d.State:
			all = append(all, happening{kind: renga.DynoEvent, action: renga.Update, subject: dynoSubject(d), before: dynoSubject(was)})
		}
	}
	for _, d := range before {
		if _, gone := old[d.ID]; gone {
			all = append(all, happening{kind: renga.DynoEvent, action: renga.Destroy, subject: dynoSubject(d)})
		}
	}
	return all
}

// scaleEvents says which process types of a formation changed.
func scaleEvents(before, after renga.Formation) []happening {
	var all []happening
	for t, s := range after {
		was, known := before[t]
		switch {
		case !known:
			all = append(all, happening{kind: renga.FormationEvent, action: renga.Create, subject: scaleSubject(t, s)})
		case was.Quantity != s.Quantity || was.Size != s.Size:
			all = append(all, happening{kind: renga.FormationEvent, action: renga.Update, subject: scaleSubject(t, s), before: scaleSubject(t, was)})
		}
	}
	for t, s := range before {
		if _, kept := after[t]; !kept {
			all = append(all, happening{kind: renga.FormationEvent, action: renga.Destroy, subject: scaleSubject(t, s)})
		}
	}
	return all
}

// appEvents says what an update of an app means: its own change, its end, and
// whom it is shared with.
func appEvents(before, after renga.App) []happening {
	all := collaboratorEvents(before, after)
	unchanged := before
	unchanged.Collaborators, unchanged.UpdatedAt = after.Collaborators, after.UpdatedAt
	h := happening{kind: renga.AppEvent, action: renga.Update, subject: appSubject(after), before: appSubject(before)}
	switch {
	case after.Deleting && !before.Deleting:
		h.action, h.before = renga.Destroy, subjectRecord{}
	case encode(newAppRecord(unchanged)) == encode(newAppRecord(after)):
		return all
	}
	return append(all, h)
}

func collaboratorEvents(before, after renga.App) []happening {
	var all []happening
	add := func(action renga.EventAction, who renga.AccountID, now, was *renga.Collaborator) {
		h := happening{kind: renga.CollaboratorEvent, action: action, subject: collaboratorSubject(who, now)}
		if was != nil {
			h.before = collaboratorSubject(who, was)
		}
		all = append(all, h)
	}
	for who, c := range after.Collaborators {
		was, known := before.Collaborators[who]
		switch {
		case !known:
			add(renga.Create, who, &c, nil)
		case !slices.Equal(was.Permissions, c.Permissions):
			add(renga.Update, who, &c, &was)
		}
	}
	for who, c := range before.Collaborators {
		if _, kept := after.Collaborators[who]; !kept {
			add(renga.Destroy, who, &c, nil)
		}
	}
	return all
}

// domainEvents says what became of an app's domains. Only a record without a
// step is one.
func domainEvents(before, after map[string]string) ([]happening, error) {
	return recordEvents(renga.DomainEvent, before, after, func(id string, r domainRecord) (subjectRecord, bool) {
		return subjectRecord{ID: id, Domain: &r}, r.Step == inPlace
	})
}

// endpointEvents says what became of an app's certificates. Events are kept
// without the keys.
func endpointEvents(before, after map[string]string) ([]happening, error) {
	return recordEvents(renga.EndpointEvent, before, after, func(id string, r endpointRecord) (subjectRecord, bool) {
		r.Key = ""
		return subjectRecord{ID: id, Endpoint: &r}, true
	})
}

// recordEvents says what became of the records of a shelf. show gives what is
// told of one, and whether it is there for others to see.
func recordEvents[R any](kind renga.EventKind, before, after map[string]string, show func(id string, r R) (subjectRecord, bool)) ([]happening, error) {
	was, err := subjectsOf(kind, before, show)
	if err != nil {
		return nil, err
	}
	is, err := subjectsOf(kind, after, show)
	if err != nil {
		return nil, err
	}
	var all []happening
	for _, id := range slices.Sorted(maps.Keys(is)) {
		old, known := was[id]
		switch {
		case !known:
			all = append(all, happening{kind: kind, action: renga.Create, subject: is[id]})
		case before[id] != after[id]:
			all = append(all, happening{kind: kind, action: renga.Update, subject: is[id], before: old})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was)) {
		if _, kept := is[id]; !kept {
			all = append(all, happening{kind: kind, action: renga.Destroy, subject: was[id]})
		}
	}
	return all, nil
}

func subjectsOf[R any](kind renga.EventKind, fields map[string]string, show func(id string, r R) (subjectRecord, bool)) (map[string]subjectRecord, error) {
	records, err := decodeShelf[R](string(kind), fields)
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

func collaboratorSubject(who renga.AccountID, c *renga.Collaborator) subjectRecord {
	record := newCollaboratorRecord(*c)
	return subjectRecord{Account: who, Collaborator: &record}
}
