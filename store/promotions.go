package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// promotionTTL is how long promotions are known: much longer than anybody
// waits for one.
const promotionTTL = 7 * 24 * time.Hour

type promotionRecord struct {
	ID        string            `json:"id"`
	Pipeline  renga.PipelineID  `json:"pipeline"`
	Source    renga.AppID       `json:"source"`
	Release   int               `json:"release"`
	By        renga.AccountID   `json:"by"`
	Targets   []promotionTarget `json:"targets"`
	CreatedAt time.Time         `json:"created_at,omitzero"`
	UpdatedAt time.Time         `json:"updated_at,omitzero"`
}

type promotionTarget struct {
	ID      string      `json:"id"`
	App     renga.AppID `json:"app"`
	Release int         `json:"release,omitempty"`
	Failure string      `json:"failure,omitempty"`
}

var promotions = collection{key: keyPromotions}

// AddPromotion records a promotion that is to be carried out.
func (s *Store) AddPromotion(ctx context.Context, p renga.Promotion) error {
	return editCollection(ctx, s, promotions, func(all map[string]promotionRecord) error {
		for id, old := range all {
			if p.CreatedAt.Sub(old.CreatedAt) > promotionTTL {
				delete(all, id)
			}
		}
		all[p.ID] = newPromotionRecord(p)
		return nil
	})
}

// Promotion reads one promotion; renga.NotFound when there is none of that id.
func (s *Store) Promotion(ctx context.Context, id string) (renga.Promotion, error) {
	all, err := readCollection[promotionRecord](ctx, s, promotions)
	if err != nil {
		return renga.Promotion{}, err
	}
	r, ok := all[id]
	if !ok {
		return renga.Promotion{}, renga.Errorf(renga.NotFound, "Couldn't find that promotion.")
	}
	return r.promotion(), nil
}

// OpenPromotions reads those that are still to be carried out, oldest first.
func (s *Store) OpenPromotions(ctx context.Context) ([]renga.Promotion, error) {
	all, err := readCollection[promotionRecord](ctx, s, promotions)
	if err != nil {
		return nil, err
	}
	var open []renga.Promotion
	for _, r := range all {
		if p := r.promotion(); p.Open() {
			open = append(open, p)
		}
	}
	slices.SortFunc(open, func(a, b renga.Promotion) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return open, nil
}

// SetPromotionTarget records what became of one target.
func (s *Store) SetPromotionTarget(ctx context.Context, promotion string, t renga.PromotionTarget) error {
	return editCollection(ctx, s, promotions, func(all map[string]promotionRecord) error {
		r := all[promotion]
		i := slices.IndexFunc(r.Targets, func(old promotionTarget) bool { return old.ID == t.ID })
		if i < 0 {
			return renga.Errorf(renga.NotFound, "Couldn't find that promotion target.")
		}
		r.Targets[i], r.UpdatedAt = promotionTarget(t), now()
		all[promotion] = r
		return nil
	})
}

func newPromotionRecord(p renga.Promotion) promotionRecord {
	r := promotionRecord{
		ID: p.ID, Pipeline: p.Pipeline, Source: p.Source, Release: p.Release, By: p.By,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	for _, t := range p.Targets {
		r.Targets = append(r.Targets, promotionTarget(t))
	}
	return r
}

func (r promotionRecord) promotion() renga.Promotion {
	p := renga.Promotion{
		ID: r.ID, Pipeline: r.Pipeline, Source: r.Source, Release: r.Release, By: r.By,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	for _, t := range r.Targets {
		p.Targets = append(p.Targets, renga.PromotionTarget(t))
	}
	return p
}
