package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

type addOnRecord struct {
	ID          renga.AddOnID      `json:"id"`
	Name        string             `json:"name"`
	Host        string             `json:"host,omitempty"`
	App         renga.AppID        `json:"app"`
	Service     string             `json:"service"`
	Plan        string             `json:"plan"`
	Options     map[string]string  `json:"options,omitempty"`
	State       renga.AddOnState   `json:"state"`
	Step        string             `json:"step,omitempty"`
	Fault       string             `json:"fault,omitempty"`
	Warnings    renga.Warnings     `json:"warnings,omitempty"`
	Admin       string             `json:"admin,omitempty"` // sealed
	Partner     partnerRecord      `json:"partner,omitzero"`
	Home        string             `json:"home,omitempty"`
	Upgrade     upgradeRecord      `json:"upgrade,omitzero"`
	Generation  int                `json:"generation,omitempty"`
	Credentials []credentialRecord `json:"credentials,omitempty"`
	Attachments []attachmentRecord `json:"attachments,omitempty"`
	By          renga.AccountID    `json:"by,omitempty"`
	ChangedBy   renga.AccountID    `json:"changed_by,omitempty"`
	CreatedAt   time.Time          `json:"created_at,omitzero"`
	UpdatedAt   time.Time          `json:"updated_at,omitzero"`
}

type partnerRecord struct {
	ID      string            `json:"id,omitempty"`
	Message string            `json:"message,omitempty"`
	Config  map[string]string `json:"config,omitempty"` // each value sealed

	State     renga.PartnerState `json:"state,omitempty"`
	Plan      string             `json:"plan,omitempty"`
	CodeUntil time.Time          `json:"code_until,omitzero"`
}

type upgradeRecord struct {
	State     renga.UpgradeState `json:"state,omitempty"`
	Other     placeRecord        `json:"other,omitzero"`
	Attempts  int                `json:"attempts,omitempty"`
	Reason    string             `json:"reason,omitempty"`
	Failed    bool               `json:"failed,omitempty"`
	By        renga.AccountID    `json:"by,omitempty"`
	AskedAt   time.Time          `json:"asked_at,omitzero"`
	EndedAt   time.Time          `json:"ended_at,omitzero"`
	KeptUntil time.Time          `json:"kept_until,omitzero"`
}

type placeRecord struct {
	Home    string `json:"home,omitempty"`
	Version string `json:"version,omitempty"`
}

func newUpgradeRecord(u renga.Upgrade) upgradeRecord {
	return upgradeRecord{
		State: u.State, Other: placeRecord(u.Other), Attempts: u.Attempts, Reason: u.Reason, Failed: u.Failed, By: u.By,
		AskedAt: u.AskedAt.UTC(), EndedAt: u.EndedAt.UTC(), KeptUntil: u.KeptUntil.UTC(),
	}
}

func (r upgradeRecord) upgrade() renga.Upgrade {
	return renga.Upgrade{
		State: r.State, Other: renga.Place(r.Other), Attempts: r.Attempts, Reason: r.Reason, Failed: r.Failed, By: r.By,
		AskedAt: r.AskedAt.UTC(), EndedAt: r.EndedAt.UTC(), KeptUntil: r.KeptUntil.UTC(),
	}
}

type credentialRecord struct {
	Name      string                `json:"name"`
	Version   int                   `json:"version"`
	User      string                `json:"user,omitempty"`
	Password  string                `json:"password,omitempty"` // sealed
	State     renga.CredentialState `json:"state"`
	CreatedAt time.Time             `json:"created_at,omitzero"`
}

type attachmentRecord struct {
	ID         string      `json:"id"`
	App        renga.AppID `json:"app"`
	Name       string      `json:"name"`
	Credential string      `json:"credential,omitempty"`

	Takes     string    `json:"takes,omitempty"`
	Leaving   bool      `json:"leaving,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

func noAddOn() error { return renga.Errorf(renga.NotFound, "Couldn't find that add-on.") }

// AddOn reads one add-on; renga.NotFound when there is none of that id.
func (s *Store) AddOn(ctx context.Context, id renga.AddOnID) (renga.AddOn, error) {
	return s.oneAddOn(ctx, "read add-on "+string(id), func(context.Context) (string, error) { return string(id), nil })
}

// AddOnByName reads the add-on that has the name; renga.NotFound when none has.
func (s *Store) AddOnByName(ctx context.Context, name string) (renga.AddOn, error) {
	a, err := s.oneAddOn(ctx, "read add-on "+name, func(ctx context.Context) (string, error) {
		return s.indexed(ctx, keyAddOns, name)
	})
	if err == nil && a.Name != name { // it is the host of one
		return renga.AddOn{}, noAddOn()
	}
	return a, err
}

// AddOnByAttachment reads the add-on that has the attachment of that id;
// renga.NotFound when none has.
func (s *Store) AddOnByAttachment(ctx context.Context, attachment string) (renga.AddOn, error) {
	return s.oneAddOn(ctx, "read add-on attachment "+attachment, func(ctx context.Context) (string, error) {
		return s.indexed(ctx, keyAttachments, attachment)
	})
}

// AddOnsOf reads the add-ons that were made for an app or that it has attached,
// in order of their names.
func (s *Store) AddOnsOf(ctx context.Context, app renga.AppID) ([]renga.AddOn, error) {
	return s.addOnsIn(ctx, "read add-ons of app "+string(app), keyAddOnsOf(app))
}

// AddOnsOfApps is AddOnsOf for several apps; each add-on is there once.
func (s *Store) AddOnsOfApps(ctx context.Context, apps []renga.AppID) ([]renga.AddOn, error) {
	indexes := make([]string, len(apps))
	for i, app := range apps {
		indexes[i] = keyAddOnsOf(app)
	}
	return s.addOnsIn(ctx, "read add-ons of apps", indexes...)
}

// AddOns reads all add-ons, in order of their names.
func (s *Store) AddOns(ctx context.Context) ([]renga.AddOn, error) {
	return s.addOnsIn(ctx, "read all add-ons", keyAddOns)
}

// CreateAddOn adds an add-on. A name that another one has, as one that an
// attachment has in its app, is renga.Conflict; an app that is not there
// renga.NotFound. Creating the same one, by id, again is no error and changes
// nothing.
func (s *Store) CreateAddOn(ctx context.Context, a renga.AddOn) error {
	return s.editAddOns(ctx, "create add-on "+a.Name, []renga.AddOnID{a.ID},
		func(all []addOnChange) error { return s.createAddOn(all, a) })
}

// createAddOn makes the record of an add-on, unless there is one.
func (s *Store) createAddOn(all []addOnChange, a renga.AddOn) error {
	if all[0].before != nil {
		all[0].after = all[0].before
		return nil
	}
	r, err := s.sealAddOn(a, renga.AddOn{}, addOnRecord{})
	all[0].after = &r
	return err
}

// EditAddOns lets edit change add-ons in place, all of them or none. edit may be
// called several times, and its error is the answer. Ids stay as they are. An
// add-on that is not there, or an app that gets one and is not there, is
// renga.NotFound, a name that is taken renga.Conflict. What changed is stamped.
func (s *Store) EditAddOns(ctx context.Context, ids []renga.AddOnID,
	edit func(map[renga.AddOnID]*renga.AddOn) error) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return s.editAddOns(ctx, "edit add-ons", ids, func(all []addOnChange) error { return s.editRecords(all, edit) })
}

// editRecords lets edit change what the records say.
func (s *Store) editRecords(all []addOnChange, edit func(map[renga.AddOnID]*renga.AddOn) error) error {
	before, after := map[renga.AddOnID]renga.AddOn{}, map[renga.AddOnID]*renga.AddOn{}
	for _, c := range all {
		if c.before == nil {
			return noAddOn()
		}
		a, err := s.openAddOn(*c.before)
		if err != nil {
			return err
		}
		shown := a.Clone()
		before[c.id], after[c.id] = a, &shown
	}
	if err := edit(after); err != nil {
		return err
	}
	for i, c := range all {
		after[c.id].ID = c.id
		r, err := s.sealAddOn(*after[c.id], before[c.id], *c.before)
		if err != nil {
			return err
		}
		if encode(r) != encode(c.before) {
			r.UpdatedAt = now()
		}
		all[i].after = &r
	}
	return nil
}

// RemoveAddOn removes an add-on with its attachments and its credentials. One
// that is not there is no error.
func (s *Store) RemoveAddOn(ctx context.Context, id renga.AddOnID) error {
	return s.editAddOns(freeing(ctx), "remove add-on "+string(id), []renga.AddOnID{id},
		func([]addOnChange) error { return nil })
}

// dropAddOns removes an app's attachments. Add-ons that were made for it are to be
// removed from then on: their records stay, for what they are still exists.
func (s *Store) dropAddOns(ctx context.Context, app renga.AppID) error {
	held, err := s.db.HVals(ctx, keyAddOnsOf(app)).Result()
	if err != nil || len(held) == 0 {
		return err
	}
	return s.editAddOns(freeing(ctx), "remove add-ons of app "+string(app), distinct(held), func(all []addOnChange) error {
		for i, c := range all {
			if c.before == nil {
				continue
			}
			r := *c.before
			if r.App == app {
				r.State = renga.Deprovisioning
			}
			r.Attachments = slices.DeleteFunc(slices.Clone(r.Attachments),
				func(at attachmentRecord) bool { return at.App == app })
			r.UpdatedAt = now()
			all[i].after = &r
		}
		return nil
	})
}

// oneAddOn reads the add-on whose id find gives; it gives none for renga.NotFound.
func (s *Store) oneAddOn(ctx context.Context, op string,
	find func(context.Context) (string, error)) (renga.AddOn, error) {
	var a renga.AddOn
	err := s.do(ctx, op, func(ctx context.Context) error {
		id, err := find(ctx)
		if err != nil {
			return err
		}
		all, err := s.someAddOns(ctx, []string{id})
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return noAddOn()
		}
		a = all[0]
		return nil
	})
	return a, err
}

// addOnsIn reads the add-ons that indexes name.
func (s *Store) addOnsIn(ctx context.Context, op string, indexes ...string) ([]renga.AddOn, error) {
	var all []renga.AddOn
	err := s.do(ctx, op, func(ctx context.Context) error {
		var ids []string
		for batch := range slices.Chunk(indexes, readBatch) {
			some := make([]*redis.StringSliceCmd, len(batch))
			err := s.read(ctx, func(p redis.Pipeliner) {
				for i, index := range batch {
					some[i] = p.HVals(ctx, index)
				}
			})
			if err != nil {
				return err
			}
			for _, found := range some {
				ids = append(ids, found.Val()...)
			}
		}
		var err error
		all, err = s.someAddOns(ctx, fields(distinct(ids)))
		return err
	})
	slices.SortFunc(all, func(a, b renga.AddOn) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// indexed reads an add-on's id; none for one that is not in the index.
func (s *Store) indexed(ctx context.Context, index, field string) (string, error) {
	var id *redis.StringCmd
	err := s.read(ctx, func(p redis.Pipeliner) { id = p.HGet(ctx, index, field) })
	return id.Val(), err
}

// someAddOns reads those of the ids that are there.
func (s *Store) someAddOns(ctx context.Context, ids []string) ([]renga.AddOn, error) {
	var all []renga.AddOn
	for batch := range slices.Chunk(ids, readBatch) {
		var stored *redis.SliceCmd
		keys := make([]string, len(batch))
		for i, id := range batch {
			keys[i] = keyAddOn(renga.AddOnID(id))
		}
		if err := s.read(ctx, func(p redis.Pipeliner) { stored = p.MGet(ctx, keys...) }); err != nil {
			return nil, err
		}
		for i, key := range keys {
			record, there := text(stored.Val(), i)
			if !there {
				continue // removed meanwhile
			}
			r, err := decode[addOnRecord](key, record)
			if err != nil {
				return nil, err
			}
			a, err := s.openAddOn(r)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}

func distinct(ids []string) []renga.AddOnID {
	all := make([]renga.AddOnID, len(ids))
	for i, id := range ids {
		all[i] = renga.AddOnID(id)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
