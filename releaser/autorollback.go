package releaser

import (
	"context"
	"time"

	"renga"
)

// BrokenReleases keeps which releases do not hold.
type BrokenReleases interface {
	AddBrokenRelease(ctx context.Context, b renga.BrokenRelease) error
	BrokenReleases(ctx context.Context) ([]renga.BrokenRelease, error)
	RemoveBrokenRelease(ctx context.Context, b renga.BrokenRelease) error
}

// Reports records which releases do not hold. The dyno manager, which finds
// that out, knows no releaser: it reports, and [AutoRollback] reads.
type Reports struct {
	BrokenReleases
	now  func() time.Time
	wake chan struct{}
}

// NewReports makes Reports.
func NewReports(b BrokenReleases, now func() time.Time) *Reports {
	return &Reports{BrokenReleases: b, now: now, wake: make(chan struct{}, 1)}
}

// Rescue records that a release does not hold, and why. The app is taken back to
// the last good one soon.
func (r *Reports) Rescue(ctx context.Context, app renga.AppID, version int, reason string) error {
	err := r.AddBrokenRelease(ctx, renga.BrokenRelease{App: app, Version: version, Reason: reason, FoundAt: r.now()})
	if err != nil {
		return err
	}
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
	return nil
}

// AutoRollback takes apps back from releases that do not hold, one after the
// other. They are recorded first, so that the next start continues what a crash
// cut short; it does nothing for an app that was taken back already.
type AutoRollback struct {
	reports  *Reports
	releaser *Releaser
}

// NewAutoRollback makes an AutoRollback. Nothing is started.
func NewAutoRollback(reports *Reports, r *Releaser) *AutoRollback {
	return &AutoRollback{reports: reports, releaser: r}
}

// Run carries out what is reported, until ctx ends.
func (a *AutoRollback) Run(ctx context.Context) error {
	carryOut(ctx, a.reports.wake, a.rollBackAll)
	return nil
}

// rollBackAll works through all reports and tells whether none is left.
func (a *AutoRollback) rollBackAll(ctx context.Context) bool {
	all, err := a.reports.BrokenReleases.BrokenReleases(ctx)
	if err != nil {
		a.releaser.Log.Warn("releases that do not hold are not known", "err", err)
		return false
	}
	done := true
	for _, b := range all {
		done = a.rollBack(ctx, b) && done
	}
	return done
}

// rollBack takes one app back and tells whether that is settled. An error that
// may pass settles nothing. Any other does: as long as the release is watched,
// it is reported again.
func (a *AutoRollback) rollBack(ctx context.Context, b renga.BrokenRelease) bool {
	err := a.releaser.Rescue(ctx, b.App, b.Version, b.Reason)
	log := a.releaser.Log.With("app", b.App, "release", renga.VersionName(b.Version))
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return false
	case renga.KindOf(err) == renga.Unavailable && a.releaser.Now().Sub(b.FoundAt) < maxOrderAge:
		log.Warn("rollback waits", "err", err)
		return false
	case renga.KindOf(err) == renga.NotFound: // the app is gone
	default:
		log.Warn("rollback failed", "err", err)
	}
	if err := a.reports.RemoveBrokenRelease(ctx, b); err != nil {
		log.Warn("rollback is not recorded as over", "err", err)
		return false
	}
	return true
}
