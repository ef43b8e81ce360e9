package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// How a domain is added and removed. An app's domains and the claims of all
// apps lie in different slots of a Cluster, so no single transaction can write
// both.
//
//	Adding                                  Removing
//	1. a record of the app's, "coming"      1. the record is "leaving"
//	2. the claim, if nobody has it          2. the claim goes
//	3. the record is a domain               3. the record goes
//
// Only a record without a step is a domain: routed, listed, given certificates.
// So a name belongs to one app at most at any moment, wherever a crash comes.
// The next reading of the app's domains ends what a crash cut short: a "coming"
// record with its claim becomes a domain, a "leaving" one is removed. A
// "coming" record without a claim is being added right now, or was given up:
// nobody sees it, and adding the name again continues with it.
//
// A claim is good while its app is listed, so the claims of a removed app keep
// no name from others.

// domainStep is the step at which adding or removing a domain is.
type domainStep string

const (
	stepNone    domainStep = ""
	stepComing  domainStep = "coming"
	stepLeaving domainStep = "leaving"
)

// domainRecord is a domain, or one being added or removed.
type domainRecord struct {
	Hostname  string     `json:"hostname"`
	Step      domainStep `json:"step,omitempty"`
	Endpoint  string     `json:"endpoint,omitempty"`
	ACM       acmRecord  `json:"acm,omitzero"`
	CreatedAt time.Time  `json:"created_at,omitzero"`
	UpdatedAt time.Time  `json:"updated_at,omitzero"`
}

type acmRecord struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

func newDomainRecord(d renga.Domain) domainRecord {
	return domainRecord{
		Hostname: d.Hostname, Endpoint: d.Endpoint, ACM: acmRecord(d.ACM),
		CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(),
	}
}

func (r domainRecord) domain(app renga.AppID, id string) renga.Domain {
	return renga.Domain{
		ID: id, App: app, Hostname: r.Hostname, Endpoint: r.Endpoint, ACM: renga.ACMStatus(r.ACM),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

func domainCollection(app renga.AppID) collection {
	return collection{key: keyDomains(app), app: app, events: domainEvents}
}

// Domains lists an app's custom domains in order of their host names.
func (s *Store) Domains(ctx context.Context, app renga.AppID) ([]renga.Domain, error) {
	records, err := s.settledDomains(ctx, app)
	if err != nil {
		return nil, err
	}
	var all []renga.Domain
	for id, r := range records {
		if r.Step == stepNone {
			all = append(all, r.domain(app, id))
		}
	}
	slices.SortFunc(all, func(a, b renga.Domain) int { return cmp.Compare(a.Hostname, b.Hostname) })
	return all, nil
}

// AddDomain claims d.Hostname for d.App. The returned domain has another id
// than d when an earlier call had begun to add it. A name that the app or
// another one has, or that overlaps with a wildcard of another owner's app, is
// renga.Conflict.
func (s *Store) AddDomain(ctx context.Context, d renga.Domain) (renga.Domain, error) {
	if _, err := s.settledDomains(ctx, d.App); err != nil {
		return renga.Domain{}, err
	}
	d, err := s.beginAdding(ctx, d)
	if err != nil {
		return renga.Domain{}, err
	}
	if err := s.claimHost(ctx, d); err != nil {
		if renga.KindOf(err) == renga.Conflict {
			return renga.Domain{}, cmp.Or(s.undoAdding(ctx, d), err)
		}
		return renga.Domain{}, err
	}
	return d, s.finishAdding(ctx, d.App, d.ID)
}

// beginAdding is step 1 of adding. It continues with a record of the same name
// that was begun before.
func (s *Store) beginAdding(ctx context.Context, d renga.Domain) (renga.Domain, error) {
	adding := d
	err := editCollection(ctx, s, domainCollection(d.App), func(all map[string]domainRecord) error {
		adding = d
		for id, r := range all {
			switch {
			case r.Hostname != d.Hostname:
			case r.Step == stepNone:
				return renga.Errorf(renga.Conflict, "Domain already added to this app.")
			case r.Step == stepComing:
				adding = r.domain(d.App, id)
				return nil
			}
		}
		if len(all) >= renga.MaxDomains {
			return renga.Errorf(renga.Invalid, "An app cannot have more than %d domains; remove one first.", renga.MaxDomains)
		}
		r := newDomainRecord(d)
		r.Step = stepComing
		all[d.ID] = r
		return nil
	})
	return adding, err
}

// undoAdding undoes beginAdding.
func (s *Store) undoAdding(ctx context.Context, d renga.Domain) error {
	return editCollection(ctx, s, domainCollection(d.App), func(all map[string]domainRecord) error {
		if all[d.ID].Step == stepComing {
			delete(all, d.ID)
		}
		return nil
	})
}

// finishAdding is step 3 of adding.
func (s *Store) finishAdding(ctx context.Context, app renga.AppID, id string) error {
	return editCollection(ctx, s, domainCollection(app), func(all map[string]domainRecord) error {
		r, ok := all[id]
		if !ok || r.Step == stepLeaving {
			return renga.Errorf(renga.Conflict, "The domain was removed while it was being added.")
		}
		r.Step = stepNone
		all[id] = r
		return nil
	})
}

// UpdateDomain lets edit change a domain and gives back what was written. edit
// may be called several times, and its error is the answer. Id, app and host
// name stay as they are.
func (s *Store) UpdateDomain(ctx context.Context, app renga.AppID, id string,
	edit func(*renga.Domain) error) (renga.Domain, error) {
	var after renga.Domain
	err := editCollection(ctx, s, domainCollection(app), func(all map[string]domainRecord) error {
		r, ok := all[id]
		if !ok || r.Step != stepNone {
			return noDomain(id)
		}
		before := r.domain(app, id)
		after = before
		if err := edit(&after); err != nil {
			return err
		}
		if after == before {
			return nil
		}
		after.UpdatedAt = now()
		all[id] = newDomainRecord(after)
		return nil
	})
	return after, err
}

func noDomain(id string) error {
	return renga.Errorf(renga.NotFound, "Couldn't find domain %s.", id)
}

// RemoveDomain removes a domain and frees its name. A domain that does not
// exist is renga.NotFound.
func (s *Store) RemoveDomain(ctx context.Context, app renga.AppID, id string) error {
	var host string
	err := editCollection(ctx, s, domainCollection(app), func(all map[string]domainRecord) error {
		r, ok := all[id]
		if !ok {
			return noDomain(id)
		}
		host, r.Step = r.Hostname, stepLeaving
		all[id] = r
		return nil
	})
	if err != nil {
		return err
	}
	return s.finishRemoving(ctx, app, id, host)
}

// finishRemoving is steps 2 and 3 of removing.
func (s *Store) finishRemoving(ctx context.Context, app renga.AppID, id, host string) error {
	if err := s.freeHosts(ctx, map[string]claimRecord{host: {App: app, ID: id}}); err != nil {
		return err
	}
	return editCollection(ctx, s, domainCollection(app), func(all map[string]domainRecord) error {
		delete(all, id)
		return nil
	})
}

// settledDomains ends what a crash cut short and reads an app's domains.
func (s *Store) settledDomains(ctx context.Context, app renga.AppID) (map[string]domainRecord, error) {
	all, err := readCollection[domainRecord](ctx, s, domainCollection(app))
	if err != nil {
		return nil, err
	}
	settled := true
	for id, r := range all {
		if r.Step == stepNone {
			continue
		}
		settled = false
		if err := s.settleDomain(ctx, app, id, r); err != nil {
			return nil, err
		}
	}
	if settled {
		return all, nil
	}
	return readCollection[domainRecord](ctx, s, domainCollection(app))
}

func (s *Store) settleDomain(ctx context.Context, app renga.AppID, id string, r domainRecord) error {
	if r.Step == stepLeaving {
		return s.finishRemoving(ctx, app, id, r.Hostname)
	}
	held, err := s.holds(ctx, r.Hostname, claimRecord{App: app, ID: id})
	if err != nil || !held {
		return err
	}
	if err := s.finishAdding(ctx, app, id); renga.KindOf(err) != renga.Conflict { // else somebody removes it now
		return err
	}
	return nil
}

// domainEvents gives the events of a change of an app's domains. Only records
// without a step count.
func domainEvents(before, after map[string]string) ([]event, error) {
	return recordEvents(renga.DomainEvent, before, after, func(id string, r domainRecord) (subjectRecord, bool) {
		return subjectRecord{ID: id, Domain: &r}, r.Step == stepNone
	})
}
