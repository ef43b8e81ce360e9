// Package imports brings images of other registries into apps: somebody asks for
// one, another registry tells of one, or a rule looks for one.
//
// An import is a record in the store before anything is done, and each step may be
// done again:
//
//	matched -> copying -> copied -> released
//	   at any point: refused, failed
//
// Before the copy the source's tag is asked what it names, and the digest is written
// down; so of two notices that come in the wrong order both release the newest image.
// The imports of one process type are done one after the other, in the order in which
// they came. The release is a push with the import's id, and so made once, whenever we
// are killed.
package imports

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
)

// Store keeps imports. An app or an import that is gone is renga.NotFound.
type Store interface {
	AppsWithImports(ctx context.Context) ([]renga.AppID, error)
	ForgetImports(ctx context.Context, app renga.AppID) error
	// Imports lists them oldest first.
	Imports(ctx context.Context, app renga.AppID) ([]renga.Import, error)
	// AddImport returns the one of that id if there is one already. TooMany if too many
	// are not over.
	AddImport(ctx context.Context, i renga.Import) (renga.Import, error)
	EditImport(ctx context.Context, app renga.AppID, id string, edit func(*renga.Import) error) (renga.Import, error)
}

// Platform knows apps, accounts, logins and releases.
type Platform interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
	// SourceLogin is the zero one if the app has none for that host.
	SourceLogin(ctx context.Context, app renga.AppID, host string) (renga.SourceLogin, error)
	// ReleaseByPush is NotFound if the push made no release.
	ReleaseByPush(ctx context.Context, app renga.AppID, pushID string) (version int, err error)
}

// Copier copies images. Errors of kind Unavailable, Internal, NoSpace and TooMany may
// pass; all others are final.
type Copier interface {
	Resolve(ctx context.Context, ref renga.ImageRef, login renga.SourceLogin) (digest string, err error)
	Copy(ctx context.Context, order renga.ImageCopy) error
}

// AppLog writes a line into an app's log.
type AppLog interface {
	Line(app renga.AppID, source, dyno, text string)
}

const (
	// maxParallel bounds how many images are copied at once.
	maxParallel = 4
	// maxAttempts bounds how often one is tried; the pauses grow from firstPause to maxPause.
	maxAttempts = 8
	firstPause  = 5 * time.Second
	maxPause    = 5 * time.Minute
	// timeout is how long one try may take.
	timeout = 30 * time.Minute
	// scanEvery is how often everything is read again, in case something was missed.
	scanEvery = 5 * time.Second
)

// Options are what the room works with.
type Options struct {
	// Own are host names of this platform's own registry, from which nothing is imported.
	Own func(host string) bool
	// Pause is how long to wait after so many attempts; nil for our own.
	Pause func(attempts int) time.Duration
	// ScanEvery is how often rules that ask are looked through; 0 for a second.
	ScanEvery time.Duration
	// Tokens says who signs the tokens of Pub/Sub; zero for Google.
	Tokens TokenOptions
	Log    *slog.Logger
	Now    func() time.Time
}

// Imports does what is asked for.
type Imports struct {
	Options
	store    Store
	platform Platform
	copier   Copier
	logs     AppLog
	notices  notices
	tokens   *tokens

	wake     chan struct{}
	tries    sync.WaitGroup
	underWay *underWay[lane]
}

// lane is what imports are done one after the other in.
type lane struct {
	app     renga.AppID
	process renga.ProcessType
}

// New makes the room. Nothing is started.
func New(o Options, s Store, n NoticeStore, p Platform, c Copier, l AppLog) *Imports {
	if o.Pause == nil {
		o.Pause = pause
	}
	if o.ScanEvery == 0 {
		o.ScanEvery = time.Second
	}
	return &Imports{
		Options: o, store: s, platform: p, copier: c, logs: l,
		notices: notices{store: n, log: o.Log, now: o.Now, refused: map[string]time.Time{}}, tokens: newTokens(o.Tokens, o.Now),
		wake: make(chan struct{}, 1), underWay: newUnderWay[lane](maxParallel),
	}
}

// Order asks for an import. It is done later; the record says how far it is.
func (m *Imports) Order(ctx context.Context, app renga.AppID, process renga.ProcessType, image string,
	by renga.AccountID) (renga.Import, error) {
	ref, err := renga.ParseImageRef(image)
	if err != nil {
		return renga.Import{}, err
	}
	if err := m.refuseOwn(ref.Host); err != nil {
		return renga.Import{}, err
	}
	now := m.Now().UTC()
	return m.add(ctx, renga.Import{
		ID: uuid.NewString(), App: app, Process: process, Image: ref.String(), Digest: ref.Digest, By: by,
		State: renga.ImportMatched, CreatedAt: now, UpdatedAt: now,
	})
}

// Replay asks for what an import asked for once more.
func (m *Imports) Replay(ctx context.Context, app renga.AppID, id string, by renga.AccountID) (renga.Import, error) {
	all, err := m.store.Imports(ctx, app)
	if err != nil {
		return renga.Import{}, err
	}
	for _, i := range all {
		if i.ID != id {
			continue
		}
		if !i.State.Over() {
			return i, renga.Errorf(renga.Conflict, "This import is still under way.")
		}
		if i.Image == "" {
			return i, renga.Errorf(renga.Invalid, "This notice named no image.")
		}
		return m.Order(ctx, app, i.Process, i.Image, by)
	}
	return renga.Import{}, renga.Errorf(renga.NotFound, "There is no import %s.", id)
}

func (m *Imports) refuseOwn(host string) error {
	if m.Own != nil && m.Own(host) {
		return renga.Errorf(renga.Invalid,
			"%s is this platform's own registry; release what is stored here with \"oci_image\".", host)
	}
	return nil
}

func (m *Imports) add(ctx context.Context, i renga.Import) (renga.Import, error) {
	added, err := m.store.AddImport(ctx, i)
	m.look()
	return added, err
}

// look wakes Run up.
func (m *Imports) look() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run does what is to be done until ctx ends, and then waits for what is under way,
// which is cut short and goes on at the next start.
func (m *Imports) Run(ctx context.Context) error {
	defer m.tries.Wait()
	for {
		next, err := m.scan(ctx)
		if err != nil && ctx.Err() == nil {
			m.Log.Warn("imports wait", "err", err)
		}
		due := time.NewTimer(max(0, min(scanEvery, next.Sub(m.Now()))))
		select {
		case <-ctx.Done():
			due.Stop()
			return nil
		case <-due.C:
		case <-m.wake:
			due.Stop()
		}
	}
}

// scan begins what is due, and tells when the next one that waits will be.
func (m *Imports) scan(ctx context.Context) (next time.Time, err error) {
	next = m.Now().Add(scanEvery)
	m.underWay.forget()
	apps, err := m.store.AppsWithImports(ctx)
	if err != nil {
		return next, err
	}
	for _, app := range apps {
		all, err := m.store.Imports(ctx, app)
		if renga.KindOf(err) == renga.NotFound {
			err = m.store.ForgetImports(ctx, app)
		}
		if err != nil {
			return next, err
		}
		if at := m.begin(ctx, all); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next, nil
}

// begin begins the oldest import of each lane that is not over, if it is due; the
// earliest time of those that are not, zero for none.
func (m *Imports) begin(ctx context.Context, all []renga.Import) (next time.Time) {
	seen := map[lane]bool{}
	for _, i := range all {
		l := lane{i.App, i.Process}
		if i.State.Over() || seen[l] {
			continue
		}
		seen[l] = true
		if i.NextAttempt.After(m.Now()) {
			if next.IsZero() || i.NextAttempt.Before(next) {
				next = i.NextAttempt
			}
			continue
		}
		if !m.underWay.take(l) {
			continue
		}
		m.tries.Go(func() {
			defer m.leave(l)
			m.try(ctx, i)
		})
	}
	return next
}

func (m *Imports) leave(l lane) {
	m.underWay.finish(l)
	m.look()
}

// pause doubles with each attempt.
func pause(attempts int) time.Duration {
	return min(firstPause<<min(attempts-1, 20), maxPause)
}
