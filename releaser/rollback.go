package releaser

import (
	"context"
	"strings"
	"sync"
	"time"

	"renga"
)

// Rollback makes a new release from an old one's images and config vars, or
// from one of the two. It first checks that the old images are whole in the
// registry. If they are not, or the release is not eligible, the error is
// renga.Invalid, with the reason.
func (r *Releaser) Rollback(ctx context.Context, id renga.AppID, version int, part renga.RollbackPart,
	canary renga.Canary, by renga.AccountID) (renga.ReleaseRecord, error) {
	app, err := r.changeable(ctx, id)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	record, err := r.Store.Release(ctx, id, version)
	if renga.KindOf(err) == renga.NotFound {
		err = renga.Errorf(renga.Invalid, "%s has no release v%d.", app.Name, version)
	}
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	if err := fit(record, part); err != nil {
		return renga.ReleaseRecord{}, err
	}
	target, err := r.Ledger.Get(ctx, app, record.Digest)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	if part != renga.RollbackConfig {
		if err := r.Ledger.Present(ctx, app, target.Inputs.Images); err != nil {
			return renga.ReleaseRecord{}, unfit(record, err)
		}
	}
	return r.rollTo(ctx, target, part, canary, by)
}

// rollTo makes the release that takes the app back to target.
func (r *Releaser) rollTo(ctx context.Context, target renga.Release, part renga.RollbackPart, canary renga.Canary,
	by renga.AccountID) (renga.ReleaseRecord, error) {
	rel, err := r.change(ctx, appChange{app: target.App, always: true, Change: renga.Change{
		Description: rollbackName(target.Version, part),
		By:          by,
		Canary:      canary,
		Edit: func(in *renga.Inputs) error {
			rollBackInputs(in, target.Inputs, part)
			return nil
		},
	}})
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	return r.Store.Release(ctx, rel.App, rel.Version)
}

// Eligible tells whether the app can be rolled back to a release; the error
// says why not.
func (r *Releaser) Eligible(ctx context.Context, app renga.App, record renga.ReleaseRecord) error {
	if err := fit(record, renga.RollbackAll); err != nil {
		return err
	}
	if r.present.lately(record) {
		return nil
	}
	if err := r.Ledger.Present(ctx, app, record.Images); err != nil {
		return unfit(record, err)
	}
	r.present.remember(record)
	return nil
}

// fit is an error if the record alone rules out a rollback to the release. The
// release that serves is eligible, as on Heroku: clients that go back by one,
// the official CLI among them, take the second eligible one.
func fit(record renga.ReleaseRecord, part renga.RollbackPart) error {
	name := renga.VersionName(record.Version)
	switch {
	case record.Outcome.Status == renga.Failed:
		return renga.Errorf(renga.Invalid, "%s cannot be rolled back to, for it failed: %s", name, record.Outcome.Reason)
	case record.Outcome.Status == renga.Pending:
		return renga.Errorf(renga.Invalid, "%s cannot be rolled back to before its dynos are up.", name)
	case len(record.Images) == 0 && part != renga.RollbackConfig:
		return renga.Errorf(renga.Invalid, "%s has no image, so there is nothing to run; roll back to a later release.", name)
	}
	return nil
}

// unfit says that a release's images are gone; other errors pass unchanged.
func unfit(record renga.ReleaseRecord, err error) error {
	switch renga.KindOf(err) {
	case renga.Invalid, renga.NotFound:
		return renga.Errorf(renga.Invalid, "%s cannot be rolled back to: %w", renga.VersionName(record.Version), err)
	default:
		return err
	}
}

// presence remembers for a moment which images were whole, so that a list of
// two hundred releases of one image looks once. Rollback itself always looks.
type presence struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]time.Time
}

const (
	presenceAge = 10 * time.Second
	presenceMax = 1000
)

func (p *presence) lately(r renga.ReleaseRecord) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[imagesKey(r)]
	return ok && p.now().Sub(at) < presenceAge
}

func (p *presence) remember(r renga.ReleaseRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= presenceMax {
		clear(p.seen)
	}
	p.seen[imagesKey(r)] = p.now()
}

func imagesKey(r renga.ReleaseRecord) string {
	var b strings.Builder
	b.WriteString(string(r.App))
	for _, t := range sortedTypes(r.Images) {
		b.WriteString(" " + r.Images[t].Digest)
	}
	return b.String()
}
