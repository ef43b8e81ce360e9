package releaser

import (
	"context"
	"fmt"
	"sync"

	"renga"
)

// People knows the apps and who the accounts are.
type People interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	Apps(ctx context.Context) ([]renga.App, error)
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
}

// OwnerNotes keeps beside an app's releases whose it is.
type OwnerNotes interface {
	KeepOwner(ctx context.Context, app renga.App, owner renga.Account) error
}

// Owners keeps the ledger told whose apps are, so that a recovery gives each back
// to whom it belonged to last, not to whom it was made by. The store is what
// counts; a note that could not be written when an app changed hands is written
// at the next start.
type Owners struct {
	people People
	notes  OwnerNotes
	mu     sync.Mutex // held while a note is written: the last one must be the newest
}

// NewOwners starts nothing.
func NewOwners(p People, n OwnerNotes) *Owners { return &Owners{people: p, notes: n} }

// KeepOwner tells the ledger whose an app is now: what the store says, or the
// app itself while the store has none of it. An owner whom nobody knows is not
// told.
func (o *Owners) KeepOwner(ctx context.Context, app renga.App) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	stored, err := o.people.App(ctx, app.ID)
	switch renga.KindOf(err) {
	case "":
		app = stored
	case renga.NotFound: // it is being made
	default:
		return err
	}
	owner, err := o.people.Account(ctx, app.Owner)
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return o.notes.KeepOwner(ctx, app, owner)
}

// Resume tells the ledger of every app: of those made by versions that did not,
// and of what a crash cut short. It gives the first error and goes on after it.
func (o *Owners) Resume(ctx context.Context) error {
	apps, err := o.people.Apps(ctx)
	if err != nil {
		return err
	}
	var first error
	for _, app := range apps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if app.Deleting {
			continue
		}
		if err := o.KeepOwner(ctx, app); err != nil && first == nil {
			first = fmt.Errorf("the ledger does not know whose app %s is: %w", app.Name, err)
		}
	}
	return first
}
