package wiretest

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"renga"
)

// Ledger keeps releases in memory, by their digests.
type Ledger struct {
	// Broken is what every look at images ends in; nil for that they are there.
	Broken error

	mu       sync.Mutex
	releases map[string]renga.Release
}

func (l *Ledger) clone() *Ledger { return &Ledger{releases: maps.Clone(l.releases)} }

// add keeps a release, and gives it its digest.
func (l *Ledger) add(rel renga.Release) renga.Release {
	l.mu.Lock()
	defer l.mu.Unlock()
	rel.Inputs, rel.Digest = rel.Inputs.Clone(), fmt.Sprintf("sha256:%064x", len(l.releases)+1)
	l.releases[rel.Digest] = rel
	return rel
}

// Put keeps a release.
func (l *Ledger) Put(_ context.Context, rel renga.Release) (digest string, err error) {
	return l.add(rel).Digest, nil
}

// Get opens a release.
func (l *Ledger) Get(_ context.Context, _ renga.App, digest string) (renga.Release, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rel, there := l.releases[digest]
	if !there {
		return renga.Release{}, renga.Errorf(renga.NotFound, "The ledger has no release %s.", digest)
	}
	rel.Inputs = rel.Inputs.Clone()
	return rel, nil
}

// Present finds all images.
func (l *Ledger) Present(context.Context, renga.App, map[renga.ProcessType]renga.Image) error {
	return l.Broken
}

// KeepOwner keeps nothing.
func (*Ledger) KeepOwner(context.Context, renga.App) error { return nil }

// Link has nothing to do, because all images are there for all apps.
func (*Ledger) Link(context.Context, string, string, map[renga.ProcessType]renga.Image) error {
	return nil
}
