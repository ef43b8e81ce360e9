package store

import (
	"context"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

// Formation reads how many dynos of an app are wanted.
func (s *Store) Formation(ctx context.Context, app renga.AppID) (renga.Formation, error) {
	var f renga.Formation
	err := s.do(ctx, "read formation of app "+string(app), func(ctx context.Context) error {
		var fields *redis.MapStringStringCmd
		err := s.readOf(ctx, app, func(p redis.Pipeliner) { fields = p.HGetAll(ctx, keyFormation(app)) })
		if err != nil {
			return err
		}
		f, err = decodeFormation(keyFormation(app), fields.Val())
		return err
	})
	return f, err
}

// SetFormation lets edit change a formation in place and gives back what was
// written, with new times where something changed. edit may be called several
// times, and its error is the answer.
func (s *Store) SetFormation(ctx context.Context, app renga.AppID,
	edit func(renga.Formation) error) (renga.Formation, error) {
	var f renga.Formation
	err := s.do(ctx, "set formation of app "+string(app), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) (err error) {
			f, err = s.setFormation(ctx, tx, app, edit)
			return err
		}, keyApp(app), keyFormation(app))
	})
	return f, err
}

func (s *Store) setFormation(ctx context.Context, tx *redis.Tx, app renga.AppID,
	edit func(renga.Formation) error) (renga.Formation, error) {
	var there *redis.IntCmd
	var fields *redis.MapStringStringCmd
	err := pipelined(ctx, tx, func(p redis.Pipeliner) {
		there = p.Exists(ctx, keyApp(app))
		fields = p.HGetAll(ctx, keyFormation(app))
	})
	if err != nil {
		return nil, err
	}
	if there.Val() == 0 {
		return nil, s.absent(ctx, app)
	}
	before, err := decodeFormation(keyFormation(app), fields.Val())
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before)
	if err := edit(after); err != nil {
		return nil, err
	}
	set, remove := changes(before, after)
	if len(set)+len(remove) == 0 {
		return after, nil
	}
	box, err := outboxOf(ctx, tx, app)
	if err != nil {
		return nil, err
	}
	return after, multi(ctx, tx, func(p redis.Pipeliner) {
		if len(set) > 0 {
			p.HSet(ctx, keyFormation(app), set)
		}
		if len(remove) > 0 {
			p.HDel(ctx, keyFormation(app), remove...)
		}
		box.post(ctx, p, scaleEvents(before, after)...)
	})
}

// changes stamps the changed entries of after, and lists what to write and what
// to remove.
func changes(before, after renga.Formation) (set map[string]string, remove []string) {
	set = map[string]string{}
	for t, scale := range after {
		old, known := before[t]
		if known && old.Quantity == scale.Quantity && old.Size == scale.Size {
			after[t] = old
			continue
		}
		scale.UpdatedAt = now()
		scale.CreatedAt = old.CreatedAt
		if !known {
			scale.CreatedAt = scale.UpdatedAt
		}
		after[t] = scale
		set[string(t)] = encode(newScaleRecord(scale))
	}
	for t := range before {
		if _, kept := after[t]; !kept {
			remove = append(remove, string(t))
		}
	}
	return set, remove
}

// Restart asks that dynos created before now be replaced. key is a dyno's
// name, a process type or renga.RestartAll.
func (s *Store) Restart(ctx context.Context, app renga.AppID, key string) error {
	return s.do(ctx, "restart "+key+" of app "+string(app), func(ctx context.Context) error {
		return s.writeOf(ctx, app, func(p redis.Pipeliner) {
			p.HSet(ctx, keyRestarts(app), key, now().Format(time.RFC3339Nano))
		})
	})
}

// readOf is read for an app that must be there.
func (s *Store) readOf(ctx context.Context, app renga.AppID, queue func(redis.Pipeliner)) error {
	var there *redis.IntCmd
	err := s.read(ctx, func(p redis.Pipeliner) {
		queue(p)
		there = p.Exists(ctx, keyApp(app))
	})
	if err != nil {
		return err
	}
	if there.Val() == 0 {
		return s.absent(ctx, app)
	}
	return nil
}

// writeOf sends queue's commands for an app that must be there.
func (s *Store) writeOf(ctx context.Context, app renga.AppID, queue func(redis.Pipeliner)) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.transact(ctx, func(tx *redis.Tx) error {
		n, err := tx.Exists(ctx, keyApp(app)).Result()
		if err != nil {
			return err
		}
		if n == 0 {
			return s.absent(ctx, app)
		}
		return multi(ctx, tx, queue)
	}, keyApp(app))
}

type scaleRecord struct {
	Quantity  int       `json:"quantity"`
	Size      string    `json:"size"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

func newScaleRecord(s renga.Scale) scaleRecord {
	return scaleRecord{Quantity: s.Quantity, Size: s.Size, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC()}
}

func (r scaleRecord) scale() renga.Scale {
	return renga.Scale{Quantity: r.Quantity, Size: r.Size, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
}

func decodeFormation(key string, fields map[string]string) (renga.Formation, error) {
	f := make(renga.Formation, len(fields))
	for t, text := range fields {
		r, err := decode[scaleRecord](key+" "+t, text)
		if err != nil {
			return nil, err
		}
		f[renga.ProcessType(t)] = r.scale()
	}
	return f, nil
}

// scaleEvents says which process types of a formation changed.
func scaleEvents(before, after renga.Formation) []event {
	var all []event
	for t, s := range after {
		was, known := before[t]
		switch {
		case !known:
			all = append(all, event{kind: renga.FormationEvent, action: renga.Create, subject: scaleSubject(t, s)})
		case was.Quantity != s.Quantity || was.Size != s.Size:
			all = append(all, event{
				kind: renga.FormationEvent, action: renga.Update, subject: scaleSubject(t, s), before: scaleSubject(t, was),
			})
		}
	}
	for t, s := range before {
		if _, kept := after[t]; !kept {
			all = append(all, event{kind: renga.FormationEvent, action: renga.Destroy, subject: scaleSubject(t, s)})
		}
	}
	return all
}
