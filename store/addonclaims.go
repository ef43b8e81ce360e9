package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"renga"
)

// How add-ons are found, and how their names stay unique. Each is one record.
// Beside the records stand hashes whose values are ids of add-ons: by their names
// and their hosts, by their attachments' ids, and one for each app: by the
// names of its attachments, or the ids of those that are leaving, and by the ids
// of those made for it. A field of them
// is a claim: nobody else gets it. Records and claims lie in one slot of a
// Cluster and are written in one MULTI, so a crash leaves no claim without its
// record, and a name passes from one add-on to another in one moment.
//
// A host is claimed beside the name because it is the name that the add-on had
// first: whoever is renamed keeps it, and no other service may answer there.

// addOnChange is what becomes of a record; nil is none, before as well as after.
type addOnChange struct {
	id            renga.AddOnID
	before, after *addOnRecord
}

// addOnClaim is a field of one of the hashes.
type addOnClaim struct{ key, field string }

// maxOfApp bounds how many claims an app has, since whoever reads its add-ons
// reads all of them.
const maxOfApp = 200

// editAddOns lets edit say what becomes of the add-ons. It may call edit several
// times, and returns its error.
func (s *Store) editAddOns(ctx context.Context, op string, ids []renga.AddOnID,
	edit func([]addOnChange) error) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = keyAddOn(id)
	}
	if len(keys) == 0 {
		return nil
	}
	told := false
	err := s.do(ctx, op, func(ctx context.Context) (err error) {
		if err := s.ready(ctx); err != nil {
			return err
		}
		told, err = s.changeAddOns(ctx, ids, keys, edit)
		return err
	})
	if err == nil && told {
		if err := s.forwardAddOnEvents(ctx); err != nil {
			s.log.Warn("events of add-ons wait", "err", err) // for the next ones, or the next start
		}
	}
	return err
}

// changeAddOns changes them in one transaction, and tells whether there are events
// of it.
func (s *Store) changeAddOns(ctx context.Context, ids []renga.AddOnID, keys []string,
	edit func([]addOnChange) error) (told bool, err error) {
	err = s.transact(ctx, func(tx *redis.Tx) error {
		all, err := addOnsBefore(ctx, tx, ids, keys)
		if err != nil {
			return err
		}
		if err := edit(all); err != nil {
			return err
		}
		told, err = s.replaceAddOns(ctx, tx, all)
		return err
	}, keys...)
	return told, err
}

func addOnsBefore(ctx context.Context, tx *redis.Tx, ids []renga.AddOnID, keys []string) ([]addOnChange, error) {
	stored, err := tx.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	all := make([]addOnChange, len(ids))
	for i, id := range ids {
		all[i].id = id
		record, there := text(stored, i)
		if !there {
			continue
		}
		r, err := decode[addOnRecord](keys[i], record)
		if err != nil {
			return nil, err
		}
		all[i].before = &r
	}
	return all, nil
}

// replaceAddOns writes the records and their claims, unless nothing changes or a
// claim is another's, and tells whether there are events of it.
func (s *Store) replaceAddOns(ctx context.Context, tx *redis.Tx, all []addOnChange) (told bool, err error) {
	all = slices.DeleteFunc(all, func(c addOnChange) bool { return encode(c.before) == encode(c.after) })
	if len(all) == 0 {
		return false, nil
	}
	before, _ := claimsOf(all, func(c addOnChange) *addOnRecord { return c.before })
	after, twice := claimsOf(all, func(c addOnChange) *addOnRecord { return c.after })
	if twice != nil {
		return false, claimed(*twice)
	}
	if err := s.mayClaimAll(ctx, tx, before, after); err != nil {
		return false, cmp.Or(unchanged(ctx, tx), err)
	}
	events, err := addOnEvents(ctx, tx, all)
	if err != nil {
		return false, err
	}
	if ending(all) {
		ctx = freeing(ctx)
	}
	return len(events) > 0, multi(ctx, tx, func(p redis.Pipeliner) {
		moveClaims(ctx, p, before, after)
		for _, c := range all {
			if c.after == nil {
				p.Del(ctx, keyAddOn(c.id))
			} else {
				p.Set(ctx, keyAddOn(c.id), encode(c.after), 0)
			}
		}
		for _, e := range events {
			p.HSet(ctx, keyAddOnEvents, e.Event.ID, encode(e))
		}
	})
}

func moveClaims(ctx context.Context, p redis.Pipeliner, before, after map[addOnClaim]renga.AddOnID) {
	for c := range before {
		if _, kept := after[c]; !kept {
			p.HDel(ctx, c.key, c.field)
		}
	}
	for c, id := range after {
		if before[c] != id {
			p.HSet(ctx, c.key, c.field, string(id))
		}
	}
}

// unchanged fails if what tx watches has changed: whoever read claims after
// records may have seen those of another moment.
func unchanged(ctx context.Context, tx *redis.Tx) error {
	return multi(ctx, tx, func(p redis.Pipeliner) { p.Exists(ctx, keyPlatform) })
}

// ending tells whether all of the add-ons are on their way out, which must go on
// when the disk is full.
func ending(all []addOnChange) bool {
	return !slices.ContainsFunc(all, func(c addOnChange) bool {
		return c.after != nil && c.after.State != renga.Deprovisioning && c.after.State != renga.Deprovisioned
	})
}

// claimsOf are the claims of records. One that two of them have is told.
func claimsOf(all []addOnChange, of func(addOnChange) *addOnRecord) (claims map[addOnClaim]renga.AddOnID,
	twice *addOnClaim) {
	claims = map[addOnClaim]renga.AddOnID{}
	for _, c := range all {
		r := of(c)
		if r == nil {
			continue
		}
		for _, claim := range r.claims() {
			if _, known := claims[claim]; known {
				twice = &claim
			}
			claims[claim] = r.ID
		}
	}
	return claims, twice
}

func (r addOnRecord) claims() []addOnClaim {
	all := []addOnClaim{{keyAddOns, r.Name}, {keyAddOnsOf(r.App), string(r.ID)}}
	if r.Host != "" {
		all = append(all, addOnClaim{keyAddOns, r.Host})
	}
	for _, at := range r.Attachments {
		name := at.Name
		if at.Leaving {
			name = at.ID // the app has the add-on still, and its name is free
		}
		all = append(all, addOnClaim{keyAttachments, at.ID}, addOnClaim{keyAddOnsOf(at.App), name})
	}
	return all
}

// mayClaimAll fails when a claim that is new is another add-on's, or is on an app
// that is not there, or that has too many.
func (s *Store) mayClaimAll(ctx context.Context, tx *redis.Tx, before, after map[addOnClaim]renga.AddOnID) error {
	gained, more := map[string][]addOnClaim{}, map[string]int{}
	for c, id := range after {
		more[c.key]++
		if before[c] != id {
			gained[c.key] = append(gained[c.key], c)
		}
	}
	for c := range before {
		more[c.key]--
	}
	for key, claims := range gained {
		if err := tx.Watch(ctx, key).Err(); err != nil {
			return err
		}
		for _, c := range claims {
			holder, err := tx.HGet(ctx, c.key, c.field).Result()
			if err != nil && !missing(err) {
				return err
			}
			if err == nil && string(before[c]) != holder {
				return claimed(c)
			}
		}
		if err := s.mayGrow(ctx, tx, key, more[key]); err != nil {
			return err
		}
	}
	return nil
}

// mayGrow fails when the hash of an app may not get so many claims more.
func (s *Store) mayGrow(ctx context.Context, tx *redis.Tx, key string, by int) error {
	app, ofApp := strings.CutPrefix(key, keyAddOnsOf(""))
	if !ofApp {
		return nil
	}
	if err := tx.Watch(ctx, keyApps).Err(); err != nil {
		return err
	}
	if err := s.requireListed(ctx, tx, renga.AppID(app)); err != nil {
		return err
	}
	n, err := tx.HLen(ctx, key).Result()
	if err == nil && by > 0 && int(n)+by > maxOfApp {
		err = renga.Errorf(renga.Invalid, "An app cannot have more than %d add-ons and attachments; remove one first.",
			maxOfApp)
	}
	return err
}

// claimed says that another add-on has the name.
func claimed(c addOnClaim) error {
	if c.key == keyAddOns {
		return taken(strings.TrimSuffix(c.field, renga.AddOnDomain))
	}
	return renga.Errorf(renga.Conflict, "The app has an attachment named %s already.", c.field)
}
