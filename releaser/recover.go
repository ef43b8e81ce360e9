package releaser

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"renga"
)

// Chains reads whole chains of releases.
type Chains interface {
	// Apps names the apps that have releases.
	Apps(ctx context.Context) ([]string, error)
	// Chain is the app's releases from version 1 as far as they are unbroken,
	// with an error that says what is wrong with the one after them, if there
	// is one.
	Chain(ctx context.Context, appName string) ([]renga.Release, error)
}

// Restorer takes recovered apps.
type Restorer interface {
	// Restore records an app with its releases; the last one is current.
	Restore(ctx context.Context, a renga.App, rs []renga.ReleaseRecord) error
	// RestoreAlias lets a former name lead to a recovered app's repositories,
	// unless another app has it.
	RestoreAlias(ctx context.Context, app renga.AppID, name string) error
}

// Recovered is what Recover brought back of one app.
type Recovered struct {
	App      string
	Releases int
	// Err is why the app, or what comes after the releases that could be
	// brought back, was not; nil when all was.
	Err error
}

// Recover rebuilds the records of every app from the ledger: apps with their
// ids and owners, every release of the unbroken chain, the newest as current.
// What a release does not hold starts anew: formations, maintenance, outcomes.
// Former names come back as far as releases were made under them.
func Recover(ctx context.Context, from Chains, to Restorer) ([]Recovered, error) {
	names, err := from.Apps(ctx)
	if err != nil {
		return nil, fmt.Errorf("list apps of the ledger: %w", err)
	}
	all := make([]Recovered, 0, len(names))
	for _, name := range names {
		n, err := recoverApp(ctx, name, from, to)
		all = append(all, Recovered{App: name, Releases: n, Err: err})
	}
	return all, nil
}

func recoverApp(ctx context.Context, name string, from Chains, to Restorer) (int, error) {
	chain, broken := from.Chain(ctx, name)
	if len(chain) == 0 {
		return 0, errors.Join(errors.New("no release can be read"), broken)
	}
	v1, newest := chain[0], chain[len(chain)-1]
	// What follows a broken release is out of reach, but what comes before it is
	// whole.
	app := renga.App{ID: v1.App, Name: name, Owner: v1.By, CreatedAt: v1.CreatedAt, UpdatedAt: newest.CreatedAt}
	records := make([]renga.ReleaseRecord, 0, len(chain))
	for _, rel := range chain {
		record := rel.Record()
		record.Outcome = renga.Outcome{Status: renga.Succeeded, Reason: "recovered from the registry", At: rel.CreatedAt}
		records = append(records, record)
	}
	if err := to.Restore(ctx, app, records); err != nil {
		return 0, err
	}
	for _, former := range formerNames(chain, name) {
		if err := to.RestoreAlias(ctx, app.ID, former); err != nil {
			return 0, err
		}
	}
	return len(records), broken
}

// formerNames are those that an app had when its releases were made, each once.
func formerNames(chain []renga.Release, name string) []string {
	var former []string
	for _, rel := range chain {
		if rel.AppName != name && !slices.Contains(former, rel.AppName) {
			former = append(former, rel.AppName)
		}
	}
	return former
}
