package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// drainRecord is a drain without its URL, which is sealed.
type drainRecord struct {
	Token     string    `json:"token"`
	URL       string    `json:"url"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

func newDrainRecord(d renga.Drain, sealed string) drainRecord {
	return drainRecord{Token: d.Token, URL: sealed, CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC()}
}

func (r drainRecord) drain(app renga.AppID, id, url string) renga.Drain {
	return renga.Drain{ID: id, App: app, URL: url, Token: r.Token, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

func drainCollection(app renga.AppID) collection { return appCollection(app, keyDrains(app)) }

// drainPlace is what a sealed URL belongs to.
func drainPlace(app renga.AppID, id string) string { return "drain " + string(app) + " " + id }

// Drains reads an app's drains, oldest first.
func (s *Store) Drains(ctx context.Context, app renga.AppID) ([]renga.Drain, error) {
	records, err := readCollection[drainRecord](ctx, s, drainCollection(app))
	if err != nil {
		return nil, err
	}
	return s.openDrains(app, records)
}

func (s *Store) openDrains(app renga.AppID, records map[string]drainRecord) ([]renga.Drain, error) {
	drains := make([]renga.Drain, 0, len(records))
	for id, r := range records {
		url, err := s.unseal(drainPlace(app, id), r.URL)
		if err != nil {
			return nil, err
		}
		drains = append(drains, r.drain(app, id, url))
	}
	slices.SortFunc(drains, func(a, b renga.Drain) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return drains, nil
}

// AddDrain adds a drain. It is renga.Invalid when the app has it already, or
// has as many as it may.
func (s *Store) AddDrain(ctx context.Context, d renga.Drain) error {
	sealed, err := s.seal(drainPlace(d.App, d.ID), d.URL)
	if err != nil {
		return err
	}
	return editCollection(ctx, s, drainCollection(d.App), func(all map[string]drainRecord) error {
		drains, err := s.openDrains(d.App, all)
		switch {
		case err != nil:
			return err
		case slices.ContainsFunc(drains, func(other renga.Drain) bool { return other.URL == d.URL }):
			return renga.Errorf(renga.Invalid, "Url has already been taken.")
		case len(drains) >= renga.MaxDrains:
			return renga.Errorf(renga.Invalid, "An app may have %d log drains; remove one first.", renga.MaxDrains)
		}
		all[d.ID] = newDrainRecord(d, sealed)
		return nil
	})
}

// RemoveDrain removes a drain; renga.NotFound when it is not there.
func (s *Store) RemoveDrain(ctx context.Context, app renga.AppID, id string) error {
	return editCollection(ctx, s, drainCollection(app), func(all map[string]drainRecord) error {
		if _, ok := all[id]; !ok {
			return renga.Errorf(renga.NotFound, "There is no drain %s.", id)
		}
		delete(all, id)
		return nil
	})
}
