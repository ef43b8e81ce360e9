package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

const (
	// promotionMemory is how long promotions are known: much longer than anybody
	// waits for one.
	promotionMemory = 7 * 24 * time.Hour
	// promotionRepeat is for how long the same promotion, asked for again by the
	// same account, is the one that was asked for before: clients repeat a
	// request whose answer they did not get.
	promotionRepeat = 30 * time.Second
)

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

var promotions = shelf{key: keyPromotions}

// AddPromotion records a promotion that is to be carried out, and gives the one
// that is recorded now: when the same was asked for a moment ago, that one.
func (s *Store) AddPromotion(ctx context.Context, p renga.Promotion) (renga.Promotion, error) {
	var added renga.Promotion
	err := editShelf(ctx, s, promotions, func(all map[string]promotionRecord) error {
		added = p
		for id, old := range all {
			switch age := p.CreatedAt.Sub(old.CreatedAt); {
			case age < promotionRepeat && old.asks(p):
				added = old.promotion()
				return nil
			case age > promotionMemory:
				delete(all, id)
			}
		}
		all[p.ID] = newPromotionRecord(p)
		return nil
	})
	return added, err
}

// asks tells whether p is asked for by the same account in the same words.
func (r promotionRecord) asks(p renga.Promotion) bool {
	return r.By == p.By && r.Pipeline == p.Pipeline && r.Source == p.Source && r.Release == p.Release &&
		slices.EqualFunc(r.Targets, p.Targets, func(a promotionTarget, b renga.PromotionTarget) bool { return a.App == b.App })
}

// Promotion reads one promotion; renga.NotFound when there is none of that id.
func (s *Store) Promotion(ctx context.Context, id string) (renga.Promotion, error) {
	all, err := readShelf[promotionRecord](ctx, s, promotions)
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
	all, err := readShelf[promotionRecord](ctx, s, promotions)
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
	return editShelf(ctx, s, promotions, func(all map[string]promotionRecord) error {
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
