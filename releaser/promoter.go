package releaser

import (
	"context"
	"time"

	"renga"
)

// Promotions keeps promotions.
type Promotions interface {
	AddPromotion(ctx context.Context, p renga.Promotion) error
	// OpenPromotions are those with targets that have no release yet.
	OpenPromotions(ctx context.Context) ([]renga.Promotion, error)
	SetPromotionTarget(ctx context.Context, promotion string, t renga.PromotionTarget) error
	Promotion(ctx context.Context, id string) (renga.Promotion, error)
}

const (
	// retryAfter is the pause before something is tried again.
	retryAfter = 5 * time.Second
	// maxOrderAge is how old an order may become: nobody expects it to be carried
	// out after that.
	maxOrderAge = time.Hour
)

// Promoter carries promotions out, one after the other. They are recorded
// first, so that the next start continues one that a crash cut short. The
// target's id finds what was released already.
type Promoter struct {
	Promotions
	releaser *Releaser
	wake     chan struct{}
}

// NewPromoter makes a Promoter. Nothing is started.
func NewPromoter(p Promotions, r *Releaser) *Promoter {
	return &Promoter{Promotions: p, releaser: r, wake: make(chan struct{}, 1)}
}

// Promotable is that of the Releaser.
func (p *Promoter) Promotable(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error) {
	return p.releaser.Promotable(ctx, app)
}

// Promote records a promotion and has it carried out soon.
func (p *Promoter) Promote(ctx context.Context, promotion renga.Promotion) error {
	err := p.AddPromotion(ctx, promotion)
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
	return err
}

// Run carries out open and new promotions until ctx ends.
func (p *Promoter) Run(ctx context.Context) error {
	carryOut(ctx, p.wake, p.releaseAll)
	return nil
}

// carryOut carries out what is recorded: at once, whenever it is woken, and
// again after a while as long as something is left, until ctx ends.
func carryOut(ctx context.Context, wake <-chan struct{}, work func(context.Context) (done bool)) {
	for {
		var again <-chan time.Time
		if !work(ctx) {
			again = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-again:
		}
	}
}

// releaseAll works through all open targets and tells whether none is left.
func (p *Promoter) releaseAll(ctx context.Context) bool {
	open, err := p.OpenPromotions(ctx)
	if err != nil {
		p.releaser.Log.Warn("open promotions are not known", "err", err)
		return false
	}
	done := true
	for _, promotion := range open {
		for _, t := range promotion.Targets {
			if t.Open() && !p.makeRelease(ctx, promotion, t) {
				done = false
			}
		}
	}
	return done
}

// makeRelease makes the release of one target, or records why there is none,
// and tells whether that is settled. An error that may pass settles nothing.
func (p *Promoter) makeRelease(ctx context.Context, promotion renga.Promotion, t renga.PromotionTarget) bool {
	rel, err := p.releaser.Promote(ctx, promotion, t)
	kind := renga.KindOf(err)
	switch {
	case err == nil:
		t.Release = rel.Version
	case ctx.Err() != nil:
		return false
	case kind == renga.Unavailable && p.releaser.Now().Sub(promotion.CreatedAt) < maxOrderAge:
		p.releaser.Log.Warn("promotion waits", "promotion", promotion.ID, "app", t.App, "err", err)
		return false
	default:
		p.releaser.Log.Warn("promotion failed", "promotion", promotion.ID, "app", t.App, "err", err)
		t.Failure = renga.MessageOf(err, "The release could not be made; Renga's log says why.")
	}
	if err := p.SetPromotionTarget(ctx, promotion.ID, t); err != nil {
		p.releaser.Log.Warn("outcome of a promotion is not recorded", "promotion", promotion.ID, "app", t.App, "err", err)
		return renga.KindOf(err) == renga.NotFound
	}
	return true
}
