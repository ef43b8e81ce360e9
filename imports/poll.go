package imports

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
)

// PollStore keeps rules and what they were told. An app or a rule that is gone is
// renga.NotFound.
type PollStore interface {
	AppsThatPoll(ctx context.Context) ([]renga.AppID, error)
	ForgetPolling(ctx context.Context, app renga.AppID) error
	// ImportRules lists an app's rules without their secrets.
	ImportRules(ctx context.Context, app renga.AppID) ([]renga.ImportRule, error)
	SetPolling(ctx context.Context, app renga.AppID, rule string, p renga.Polling) error
	// SourceLogin is the zero one if the app has none for that host.
	SourceLogin(ctx context.Context, app renga.AppID, host string) (renga.SourceLogin, error)
}

// Prober asks other registries what their tags name.
type Prober interface {
	// Poll gets what was answered last, or nothing. A Wait may be beside an error.
	Poll(ctx context.Context, ref renga.ImageRef, login renga.SourceLogin, last renga.TagAnswer) (renga.TagAnswer, error)
}

const (
	// maxPolls bounds how many registries are asked at once, one for each app.
	maxPolls    = 16
	pollTimeout = 30 * time.Second
	// maxPollPause is how long a rule without an answer waits at most, unless the
	// registry asks for more or its own time is longer.
	maxPollPause = time.Hour
)

// Poller asks, for rules that want it, what their tags name, and orders an import for
// each new image.
//
// What it was told is written down after the import is ordered. An import's id is made
// of how many changes there were, so that one that was ordered before we were killed is
// not ordered again, and one back to an older image is.
type Poller struct {
	imports *Imports
	store   PollStore
	prober  Prober

	asked    sync.WaitGroup
	underWay *underWay[renga.AppID]
}

// NewPoller makes a Poller. Nothing is started.
func NewPoller(m *Imports, s PollStore, p Prober) *Poller {
	return &Poller{imports: m, store: s, prober: p, underWay: newUnderWay[renga.AppID](maxPolls)}
}

// Run asks until ctx ends.
func (p *Poller) Run(ctx context.Context) error {
	defer p.asked.Wait()
	tick := time.NewTicker(p.imports.ScanEvery)
	defer tick.Stop()
	for {
		if err := p.scan(ctx); err != nil && ctx.Err() == nil {
			p.imports.Log.Warn("polling of other registries waits", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// scan begins to ask for one rule of each app that has any that are due. The others
// come with later scans, so that a registry which answers slowly holds up no other app.
func (p *Poller) scan(ctx context.Context) error {
	p.underWay.forget()
	apps, err := p.store.AppsThatPoll(ctx)
	if err != nil {
		return err
	}
	for _, app := range apps {
		rules, err := p.store.ImportRules(ctx, app)
		if renga.KindOf(err) == renga.NotFound {
			err = p.store.ForgetPolling(ctx, app)
		}
		if err != nil {
			return err
		}
		if r, due := longestDue(rules, p.imports.Now()); due && p.underWay.take(app) {
			p.asked.Go(func() {
				defer p.underWay.finish(app)
				p.poll(ctx, r)
			})
		}
	}
	return nil
}

// longestDue is the rule that has been due for the longest, if any is.
func longestDue(rules []renga.ImportRule, now time.Time) (longest renga.ImportRule, due bool) {
	for _, r := range rules {
		if r.Polling.Every > 0 && !r.Polling.Next.After(now) && (!due || r.Polling.Next.Before(longest.Polling.Next)) {
			longest, due = r, true
		}
	}
	return longest, due
}

// poll asks for one rule, orders what is new, and writes down what was told.
func (p *Poller) poll(ctx context.Context, r renga.ImportRule) {
	bounded, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	told, err := p.ask(bounded, r)
	if ctx.Err() != nil {
		return // the next start asks
	}
	next := r.Polling
	if err == nil && told.Digest != next.Digest {
		next.Changes++
		_, err = p.imports.add(ctx, p.imports.found(r, told.Digest, next.Changes))
	}
	if err == nil {
		next.Digest, next.ETag, next.Failures, next.Reason = told.Digest, told.ETag, 0, ""
	} else {
		next.Changes = r.Polling.Changes
		next.Failures++
		next.Reason = renga.MessageOf(err, "Something failed; the platform's log says what.")
		p.imports.Log.Info("polling of another registry failed", "rule", r.ID, "app", r.App, "failures", next.Failures, "err", err)
	}
	next.At = p.imports.Now()
	next.Next = next.At.Add(pollPause(next, told.Wait))
	if err := p.store.SetPolling(ctx, r.App, r.ID, next); err != nil && renga.KindOf(err) != renga.NotFound && ctx.Err() == nil {
		p.imports.Log.Warn("what another registry answered is not written, it will be asked again", "rule", r.ID, "err", err)
	}
}

// ask asks what a rule's tag names.
func (p *Poller) ask(ctx context.Context, r renga.ImportRule) (renga.TagAnswer, error) {
	host, repository, _ := renga.SplitRepository(r.Repository) // it was checked
	if err := p.imports.refuseOwn(host); err != nil {
		return renga.TagAnswer{}, err
	}
	login, err := p.store.SourceLogin(ctx, r.App, host)
	if err != nil {
		return renga.TagAnswer{}, err
	}
	last := renga.TagAnswer{Digest: r.Polling.Digest, ETag: r.Polling.ETag}
	return p.prober.Poll(ctx, renga.ImageRef{Host: host, Repository: repository, Tag: r.Tags}, login, last)
}

// pollPause is how long a rule waits before it asks again: twice as long after each
// failure, as long as the registry wants, and a little more or less, so that many rules
// do not ask at once.
func pollPause(p renga.Polling, wanted time.Duration) time.Duration {
	pause := p.Every
	if p.Failures > 0 {
		pause = max(p.Every, min(p.Every<<min(p.Failures, 10), maxPollPause))
	}
	pause += time.Duration((rand.Float64() - 0.5) * 0.2 * float64(pause))
	return max(pause, wanted)
}

// found is the import of an image that a rule's tag names now.
func (m *Imports) found(r renga.ImportRule, digest string, changes int) renga.Import {
	i := m.told(r, fmt.Sprintf("poll %d", changes), r.Tags)
	i.ID = uuid.NewSHA1(uuid.MustParse(r.ID), fmt.Appendf(nil, "poll\n%d\n%s", changes, digest)).String()
	i.Digest = digest
	return i
}
