// Package releaser makes releases, and only it does: out of image pushes,
// changes of config vars and rollbacks.
//
// Every way in ends in [Releaser.Change]: read the newest release, edit a copy
// of its inputs, write the next release into the ledger, commit its record to
// the store, wake the dyno manager. One change of an app runs at a time. Dying
// before the commit leaves an orphan in the ledger, which the next release of
// that number replaces; dying after it leaves a release that the manager finds
// by itself.
package releaser

import (
	"context"
	"log/slog"
	"time"

	"renga"
	"renga/locks"
)

// Store keeps the records of releases.
type Store interface {
	// Head is the record of the app's newest release.
	Head(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error)
	// Commit adds the release that follows the head; Conflict when the head has
	// moved. Formation entries in fill are added where there are none.
	Commit(ctx context.Context, r renga.ReleaseRecord, pushID string, fill renga.Formation) error
	// ReleaseByPush finds the version that a push made; NotFound when none.
	ReleaseByPush(ctx context.Context, app renga.AppID, pushID string) (int, error)
	Release(ctx context.Context, app renga.AppID, version int) (renga.ReleaseRecord, error)
	// Live is the record of the release that serves; version 1 when none with an
	// image was up yet.
	Live(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error)
}

// Apps keeps the apps.
type Apps interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	AppByName(ctx context.Context, name string) (renga.App, error)
	// CreateApp claims the name and records the app with its first release;
	// Conflict when the name is taken.
	CreateApp(ctx context.Context, a renga.App, v1 renga.ReleaseRecord) error
}

// Ledger keeps the releases themselves.
type Ledger interface {
	// Put writes a release and returns the digest that covers all of it.
	Put(ctx context.Context, r renga.Release) (digest string, err error)
	// Get opens a release and checks every byte of it.
	Get(ctx context.Context, app renga.App, digest string) (renga.Release, error)
	// Present tells whether images are still whole in the registry; the error
	// names what is missing.
	Present(ctx context.Context, app renga.App, images map[renga.ProcessType]renga.Image) error
	// Link makes images of one app's releases, both by name, part of another's,
	// without copies.
	Link(ctx context.Context, from, to string, images map[renga.ProcessType]renga.Image) error
}

// Runner is told of apps that have changed.
type Runner interface {
	Reconcile(app renga.AppID)
}

// Activity writes what people do to an app into its log.
type Activity interface {
	// Note notes what an account did, such as "Deploy 0123abcd".
	Note(ctx context.Context, app renga.AppID, by renga.AccountID, what string)
}

// OwnerKeeper is told the owner of an app that is being made.
type OwnerKeeper interface {
	KeepOwner(ctx context.Context, app renga.App) error
}

// Parts are what a Releaser works with.
type Parts struct {
	Apps   Apps
	Store  Store
	Ledger Ledger
	Owners OwnerKeeper
	// Provenance is nil if no app asks where images come from.
	Provenance Provenance
	Runner     Runner
	Activity   Activity
	Log        *slog.Logger
	Now        func() time.Time
	NewID      func() string // a new UUID
}

// Provenance knows where images come from.
type Provenance interface {
	// CheckProvenance is Forbidden, with the reason, unless the app's rules allow to
	// release images of its own repositories, or of the app that they come from.
	CheckProvenance(ctx context.Context, app, from renga.App, images map[renga.ProcessType]renga.Image) error
}

// Releaser makes releases. Its methods may be called at once from several
// goroutines.
type Releaser struct {
	Parts
	changing locks.Named // by app id: one change at a time
	naming   locks.Named // by name: one creation or rename at a time
	present  presence    // what was found whole in the registry lately

	openRenames openRenames // renames that wait for an end
}

// New makes a Releaser. Nothing is started.
func New(p Parts) *Releaser {
	return &Releaser{Parts: p, present: presence{now: p.Now, seen: map[string]time.Time{}}}
}

// Change makes the next release of an app, or returns the newest one when the
// edit changes nothing or when the change's push was released already.
func (r *Releaser) Change(ctx context.Context, app renga.AppID, c renga.Change) (renga.Release, error) {
	return r.change(ctx, appChange{app: app, Change: c})
}

// appChange is a change of one app.
type appChange struct {
	app renga.AppID
	renga.Change
	// always makes a release even if the change edits nothing.
	always bool
}

// await returns once no change of the app is under way.
func (r *Releaser) await(app renga.AppID) { r.changing.Lock(string(app))() }

// attempts bounds how often a change starts over because the head moved. Only
// another process on the same Redis could move it.
const attempts = 3

// change makes the release that a change asks for.
func (r *Releaser) change(ctx context.Context, c appChange) (renga.Release, error) {
	defer r.changing.Lock(string(c.app))()
	return r.changeLocked(ctx, c)
}

// changeLocked is change under the app's lock.
func (r *Releaser) changeLocked(ctx context.Context, c appChange) (renga.Release, error) {
	var rel renga.Release
	var err error
	for range attempts {
		rel, err = r.tryLocked(ctx, c)
		if renga.KindOf(err) != renga.Conflict {
			break
		}
	}
	return rel, err
}

// tryLocked is one attempt at a change.
func (r *Releaser) tryLocked(ctx context.Context, c appChange) (renga.Release, error) {
	app, err := r.changeable(ctx, c.app)
	if err != nil {
		return renga.Release{}, err
	}
	if done, rel, err := r.replayed(ctx, app, c.PushID); done || err != nil {
		return rel, err
	}
	head, err := r.Store.Head(ctx, c.app)
	if err != nil {
		return renga.Release{}, err
	}
	last, err := r.Ledger.Get(ctx, app, head.Digest)
	if err != nil {
		return renga.Release{}, err
	}
	inputs := last.Inputs.Clone()
	if err := c.Edit(&inputs); err != nil {
		return renga.Release{}, err
	}
	if !c.always && inputs.Equal(last.Inputs) {
		return last, nil
	}
	canary := canaryOf(app, c.Change)
	if err := checkDisks(inputs, canary); err != nil {
		return renga.Release{}, err
	}
	next := r.successor(app, last, inputs, c.Change)
	outcome := firstOutcome(next)
	if c.Routine && head.Outcome.Phase == renga.PhasePassed {
		outcome.Phase = renga.PhasePassed
	}
	return r.write(ctx, next, outcome, canary)
}

// canaryOf is how the release that a change makes takes over.
func canaryOf(app renga.App, c renga.Change) renga.Canary {
	if c.Deploys && !c.Canary.On() {
		return app.Canary
	}
	return c.Canary
}

// changeable reads the app, and refuses one that is being deleted or renamed.
func (r *Releaser) changeable(ctx context.Context, id renga.AppID) (renga.App, error) {
	if err := r.openRenames.refuse(id); err != nil {
		return renga.App{}, err
	}
	app, err := r.Apps.App(ctx, id)
	if err == nil && app.Deleting {
		err = renga.Errorf(renga.NotFound, "The app %s is being deleted.", app.Name)
	}
	return app, err
}

// replayed tells whether the push was released already.
func (r *Releaser) replayed(ctx context.Context, app renga.App, pushID string) (bool, renga.Release, error) {
	if pushID == "" {
		return false, renga.Release{}, nil
	}
	version, err := r.Store.ReleaseByPush(ctx, app.ID, pushID)
	if renga.KindOf(err) == renga.NotFound {
		return false, renga.Release{}, nil
	}
	if err != nil {
		return false, renga.Release{}, err
	}
	rel, err := r.Open(ctx, app, version)
	return true, rel, err
}

// write puts a release into the ledger, then commits it: from then on it
// exists.
func (r *Releaser) write(ctx context.Context, rel renga.Release, first renga.Outcome, canary renga.Canary) (renga.Release, error) {
	digest, err := r.Ledger.Put(ctx, rel)
	if err != nil {
		return renga.Release{}, err
	}
	rel.Digest = digest
	record := rel.Record()
	record.Outcome, record.Canary = first, canary
	if err := r.Store.Commit(ctx, record, rel.PushID, firstFormation(rel)); err != nil {
		return renga.Release{}, err
	}
	r.Log.Info("release made", "app", rel.AppName, "release", rel.Name(),
		"description", rel.Description, "by", rel.By, "digest", digest)
	r.logRelease(ctx, rel)
	r.Runner.Reconcile(rel.App)
	return rel, nil
}

// logRelease notes a new release in the app's log.
func (r *Releaser) logRelease(ctx context.Context, rel renga.Release) {
	r.Activity.Note(ctx, rel.App, rel.By, rel.Description)
	r.Activity.Note(ctx, rel.App, rel.By, "Release "+rel.Name()+" created")
}

// Open opens a release of an app, secrets included.
func (r *Releaser) Open(ctx context.Context, app renga.App, version int) (renga.Release, error) {
	record, err := r.Store.Release(ctx, app.ID, version)
	if err != nil {
		return renga.Release{}, err
	}
	return r.Ledger.Get(ctx, app, record.Digest)
}

// Newest opens the newest release of an app, secrets included.
func (r *Releaser) Newest(ctx context.Context, id renga.AppID) (renga.Release, error) {
	app, err := r.Apps.App(ctx, id)
	if err != nil {
		return renga.Release{}, err
	}
	head, err := r.Store.Head(ctx, id)
	if err != nil {
		return renga.Release{}, err
	}
	return r.Ledger.Get(ctx, app, head.Digest)
}
