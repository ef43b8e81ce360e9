package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
)

type dynoRecord struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Type    renga.ProcessType `json:"type"`
	Size    string            `json:"size,omitempty"`
	Release int               `json:"release"`
	Command []string          `json:"command,omitempty"`
	State   renga.DynoState   `json:"state"`
	Since   time.Time         `json:"since,omitzero"`
	Created time.Time         `json:"created_at,omitzero"`
	Reason  string            `json:"reason,omitempty"`
	Exit    *exitRecord       `json:"exit,omitempty"`
}

type exitRecord struct {
	Code        int      `json:"code"`
	OutOfMemory bool     `json:"out_of_memory,omitempty"`
	LastLines   []string `json:"last_lines,omitempty"`
}

func newDynoRecord(d renga.Dyno) dynoRecord {
	return dynoRecord{
		ID: d.ID, Name: d.Name, Type: d.Type, Size: d.Size, Release: d.Release, Command: d.Command,
		State: d.State, Since: d.Since.UTC(), Created: d.Created.UTC(), Reason: d.Reason,
		Exit: (*exitRecord)(d.Exit),
	}
}

func (r dynoRecord) dyno(app renga.AppID) renga.Dyno {
	return renga.Dyno{
		ID: r.ID, App: app, Name: r.Name, Type: r.Type, Size: r.Size, Release: r.Release, Command: r.Command,
		State: r.State, Since: r.Since.UTC(), Created: r.Created.UTC(), Reason: r.Reason,
		Exit: (*renga.Exit)(r.Exit),
	}
}

func decodeDynos(app renga.AppID, text string) ([]renga.Dyno, error) {
	records, err := decode[[]dynoRecord](keyDynos(app), text)
	if err != nil {
		return nil, err
	}
	dynos := make([]renga.Dyno, 0, len(records))
	for _, r := range records {
		dynos = append(dynos, r.dyno(app))
	}
	return dynos, nil
}

// dynoEvents says what became of an app's dynos between two looks.
func dynoEvents(before, after []renga.Dyno) []event {
	var all []event
	old := map[string]renga.Dyno{}
	for _, d := range before {
		old[d.ID] = d
	}
	for _, d := range after {
		was, known := old[d.ID]
		delete(old, d.ID)
		switch {
		case !known:
			all = append(all, event{kind: renga.DynoEvent, action: renga.Create, subject: dynoSubject(d)})
		case was.State != d.State:
			all = append(all, event{
				kind: renga.DynoEvent, action: renga.Update, subject: dynoSubject(d), before: dynoSubject(was),
			})
		}
	}
	for _, d := range before {
		if _, gone := old[d.ID]; gone {
			all = append(all, event{kind: renga.DynoEvent, action: renga.Destroy, subject: dynoSubject(d)})
		}
	}
	return all
}

// Dynos reads the dynos as they were last seen.
func (s *Store) Dynos(ctx context.Context, app renga.AppID) ([]renga.Dyno, error) {
	var dynos []renga.Dyno
	err := s.do(ctx, "read dynos of app "+string(app), func(ctx context.Context) error {
		var stored *redis.StringCmd
		err := s.read(ctx, func(p redis.Pipeliner) { stored = p.Get(ctx, keyDynos(app)) })
		if err != nil {
			return err
		}
		if missing(stored.Err()) {
			return s.absent(ctx, app)
		}
		dynos, err = decodeDynos(app, stored.Val())
		return err
	})
	return dynos, err
}

// SaveDynos replaces what is known of an app's dynos. After the app's removal
// it is renga.NotFound and writes nothing.
func (s *Store) SaveDynos(ctx context.Context, app renga.AppID, ds []renga.Dyno) error {
	return s.do(ctx, "save dynos of app "+string(app), func(ctx context.Context) error {
		if err := s.ready(ctx); err != nil {
			return err
		}
		return s.transact(ctx, func(tx *redis.Tx) error { return s.saveDynos(ctx, tx, app, ds) }, keyDynos(app))
	})
}

func (s *Store) saveDynos(ctx context.Context, tx *redis.Tx, app renga.AppID, ds []renga.Dyno) error {
	stored, err := tx.Get(ctx, keyDynos(app)).Result()
	if missing(err) { // the key is there exactly as long as the app is
		return s.absent(ctx, app)
	}
	if err != nil {
		return err
	}
	before, err := decodeDynos(app, stored)
	if err != nil {
		return err
	}
	box, err := outboxOf(ctx, tx, app)
	if err != nil {
		return err
	}
	records := make([]dynoRecord, 0, len(ds))
	for _, d := range ds {
		records = append(records, newDynoRecord(d))
	}
	return multi(ctx, tx, func(p redis.Pipeliner) {
		p.Set(ctx, keyDynos(app), encode(records), 0)
		box.post(ctx, p, dynoEvents(before, ds)...)
	})
}
