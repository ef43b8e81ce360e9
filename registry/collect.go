package registry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"renga"
)

// History knows the apps and their releases.
type History interface {
	Apps(ctx context.Context) ([]renga.App, error)
	Releases(ctx context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error)
}

// CollectOptions are what NewCollector needs.
type CollectOptions struct {
	// Every is the time between two collections; 0 for none but those that are
	// asked for.
	Every time.Duration
	// Grace is how long content stays after its last use.
	Grace time.Duration
	// Running gives for each app the versions that dynos run. While it is an error
	// nothing is collected.
	Running func(ctx context.Context) (map[renga.AppID][]int, error)
	// Kept is told, after a collection, which images each app's releases still
	// have, by digest: others that the engine pulled may go. Nil for nobody.
	Kept func(ctx context.Context, images map[renga.AppID]map[string]bool) error
	Log  *slog.Logger
	Now  func() time.Time
}

// Collector removes what nothing needs any more, while pushes go on. It needs no
// pause: what a request counts on is held by the [Gate], and what it counted on a
// while ago is younger than the grace.
//
// A collection lists all content, marks what is needed, and removes the rest one by
// one, each looked at again first. Needed is what a tag names, what the kept
// releases of an app run, what refers to any of that (signatures, for instance),
// what an unfinished push is about, and all that is young. Of other releases only
// the images go; what they say of themselves stays, for the chain's sake. An app
// that the store does not know keeps everything, for the store may have lost its
// data; and whatever cannot be read ends the collection.
//
// It may be killed anywhere. A manifest's link goes before those of its layers, and
// content goes last, so that whatever is still to be had is whole.
type Collector struct {
	o       CollectOptions
	reg     *Registry
	ledger  *Ledger
	history History
	log     *slog.Logger
	busy    sync.Mutex // held by the one collection under way

	mu     sync.Mutex // guards the rest
	past   []renga.Collection
	totals CollectTotals
}

// NewCollector makes the collector of a registry and its ledger, which must share
// their gate.
func NewCollector(o CollectOptions, reg *Registry, l *Ledger, h History) (*Collector, error) {
	if reg.gate != l.gate {
		return nil, errors.New("a collector needs a registry with its ledger's gate")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Collector{o: o, reg: reg, ledger: l, history: h, log: o.Log}, nil
}

// Run collects at its times until ctx ends; it then returns nil.
func (c *Collector) Run(ctx context.Context) error {
	var due <-chan time.Time
	if c.o.Every > 0 {
		ticker := time.NewTicker(c.o.Every)
		defer ticker.Stop()
		due = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		}
		if _, err := c.Collect(ctx, false); err != nil && ctx.Err() == nil {
			c.log.Error("nothing more is collected now", "err", err)
		}
	}
}

// Collect does one collection, or only says what it would remove. It is Conflict
// while another is under way.
func (c *Collector) Collect(ctx context.Context, dryRun bool) (renga.Collection, error) {
	if !c.busy.TryLock() {
		return renga.Collection{}, renga.Errorf(renga.Conflict, "A collection is under way; ask again when it has ended.")
	}
	defer c.busy.Unlock()
	begun := c.o.Now()
	c.reg.gate.longestWait()
	run := &collection{Collector: c, start: begun, fresh: begun.Add(-c.o.Grace), dryRun: dryRun}
	err := run.do(ctx)
	got := run.report()
	got.Took, got.Marked = c.o.Now().Sub(begun), len(run.marked)
	if dryRun {
		return got, err
	}
	got.LongestWait = c.reg.gate.longestWait()
	c.remember(got, err)
	c.log.Info("content collected", "removed", got.Removed, "bytes", got.Bytes, "kept", got.Kept,
		"took", got.Took, "longest_hold", got.LongestHold)
	if err == nil && c.o.Kept != nil {
		err = c.o.Kept(ctx, run.images)
	}
	return got, err
}

// CollectTotals are sums over all collections since the start.
type CollectTotals struct {
	Collections, Failed int64
	Removed, Bytes      int64
	Took                time.Duration
}

// maxCollections is how many past collections are remembered.
const maxCollections = 20

func (c *Collector) remember(got renga.Collection, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		got.Fault = renga.MessageOf(err, "It ended early; the platform's log says why.")
		c.totals.Failed++
	}
	c.totals.Collections++
	c.totals.Removed += int64(got.Removed)
	c.totals.Bytes += got.Bytes
	c.totals.Took += got.Took
	c.past = append(c.past, got)
	c.past = c.past[max(0, len(c.past)-maxCollections):]
}

// Collections are the last collections in earnest since the start, the newest first.
func (c *Collector) Collections() []renga.Collection {
	c.mu.Lock()
	defer c.mu.Unlock()
	past := slices.Clone(c.past)
	slices.Reverse(past)
	return past
}

// Totals are the sums of all collections since the start.
func (c *Collector) Totals() CollectTotals {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.totals
}
