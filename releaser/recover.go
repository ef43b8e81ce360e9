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
	// Owner is the app's last owner; renga.NotFound if that was not written down.
	Owner(ctx context.Context, app renga.App) (renga.Account, error)
	// AddOns are the notes of the add-ons that were made for an app, as far as they
	// can be read, with an error that names the others.
	AddOns(ctx context.Context, app renga.App) ([]renga.AddOn, error)
}

// Restorer takes recovered apps.
type Restorer interface {
	// Restore records an app with its releases; the last one is current.
	Restore(ctx context.Context, a renga.App, rs []renga.ReleaseRecord) error
	// RestoreAlias lets a former name lead to a recovered app's repositories,
	// unless another app has it.
	RestoreAlias(ctx context.Context, app renga.AppID, name string) error
	// RestoreAccount makes an account again, without a password, unless it is
	// there; Conflict when another account has its email.
	RestoreAccount(ctx context.Context, a renga.Account) error
	// RestoreAddOn records an add-on; NotFound when the newest releases say that it is
	// gone. They are those of the apps that are there; one without inputs cannot be
	// read.
	RestoreAddOn(ctx context.Context, a renga.AddOn, newest map[renga.AppID]renga.Release) error
}

// Recovered is what Recover brought back of an app.
type Recovered struct {
	App      string
	Releases int
	AddOns   int
	id       renga.AppID
	// Owner is the app's owner now. Without an email it is an account that does
	// not exist any more.
	Owner renga.Account
	// Err is why the app, or its later releases, could not be brought back; nil
	// if all were.
	Err error
}

// Recover rebuilds the records of every app from the ledger: apps with their
// ids and owners, every release of the unbroken chain, the newest as current.
// What is not in the ledger starts anew: formations, maintenance, outcomes. The
// owners' accounts are made again, without their passwords. Former names come
// back if releases were made under them.
func Recover(ctx context.Context, from Chains, to Restorer) ([]Recovered, error) {
	names, err := from.Apps(ctx)
	if err != nil {
		return nil, fmt.Errorf("list apps of the ledger: %w", err)
	}
	all := make([]Recovered, 0, len(names))
	newest := map[renga.AppID]renga.Release{}
	for _, name := range names {
		one := Recovered{App: name}
		one.Err = recoverApp(ctx, &one, newest, from, to)
		all = append(all, one)
	}
	for i := range all { // which may be attached to any app
		if all[i].Releases > 0 {
			err := recoverAddOns(ctx, &all[i], newest, from, to)
			all[i].Err = errors.Join(all[i].Err, err)
		}
	}
	return all, nil
}

// recoverAddOns brings back what was made for an app.
func recoverAddOns(ctx context.Context, one *Recovered, newest map[renga.AppID]renga.Release, from Chains, to Restorer) error {
	notes, bad := from.AddOns(ctx, renga.App{ID: one.id, Name: one.App})
	for _, a := range notes {
		err := to.RestoreAddOn(ctx, a, newest)
		switch {
		case err == nil:
			one.AddOns++
		case renga.KindOf(err) == renga.NotFound: // it was destroyed
		default:
			bad = errors.Join(bad, fmt.Errorf("add-on %s: %w", a.Name, err))
		}
	}
	return bad
}

func recoverApp(ctx context.Context, one *Recovered, newest map[renga.AppID]renga.Release, from Chains, to Restorer) error {
	name := one.App
	chain, broken := from.Chain(ctx, name)
	if len(chain) == 0 {
		return errors.Join(errors.New("no release can be read"), broken)
	}
	v1, last := chain[0], chain[len(chain)-1]
	// What follows a broken release cannot be read, but what comes before it is
	// whole.
	app := renga.App{ID: v1.App, Name: name, CreatedAt: v1.CreatedAt, UpdatedAt: last.CreatedAt}
	owner, doubt, err := recoverOwner(ctx, app, v1.By, from, to)
	if err != nil {
		return err
	}
	app.Owner = owner.ID
	records := make([]renga.ReleaseRecord, 0, len(chain))
	for _, rel := range chain {
		record := rel.Record()
		record.Outcome = renga.Outcome{Status: renga.Succeeded, Reason: "recovered from the registry", At: rel.CreatedAt}
		records = append(records, record)
	}
	if err := to.Restore(ctx, app, records); err != nil {
		return err
	}
	for _, former := range formerNames(chain, name) {
		if err := to.RestoreAlias(ctx, app.ID, former); err != nil {
			return err
		}
	}
	one.Releases, one.Owner, one.id = len(records), owner, app.ID
	newest[app.ID] = last
	if broken != nil { // what its newest release has is not known
		newest[app.ID] = renga.Release{}
	}
	return errors.Join(broken, doubt)
}

// recoverOwner makes the account of an app's owner again. If there is no note
// of the owner, it is the account that made the app. If the note cannot be
// trusted or used, it is nobody, lest somebody gets back an app that they gave
// away, and doubt says why.
func recoverOwner(ctx context.Context, app renga.App, maker renga.AccountID, from Chains,
	to Restorer) (owner renga.Account, doubt, err error) {
	owner, err = from.Owner(ctx, app)
	var flaw interface{ BadVersion() int }
	switch {
	case renga.KindOf(err) == renga.NotFound:
		return renga.Account{ID: maker}, nil, nil
	case errors.As(err, &flaw):
		return renga.Account{}, err, nil
	case err != nil:
		return renga.Account{}, nil, err
	}
	err = to.RestoreAccount(ctx, owner)
	if renga.KindOf(err) == renga.Conflict {
		return renga.Account{}, err, nil
	}
	return owner, nil, err
}

// formerNames are the other names under which an app's releases were made, each
// once.
func formerNames(chain []renga.Release, name string) []string {
	var former []string
	for _, rel := range chain {
		if rel.AppName != name && !slices.Contains(former, rel.AppName) {
			former = append(former, rel.AppName)
		}
	}
	return former
}
