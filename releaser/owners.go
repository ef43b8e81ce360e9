package releaser

import (
	"context"
	"fmt"
	"sync"

	"renga"
)

// People knows apps and accounts.
type People interface {
	App(ctx context.Context, id renga.AppID) (renga.App, error)
	Apps(ctx context.Context) ([]renga.App, error)
	Account(ctx context.Context, id renga.AccountID) (renga.Account, error)
}

// OwnerNotes keeps notes of apps' owners, beside their releases.
type OwnerNotes interface {
	KeepOwner(ctx context.Context, app renga.App, owner renga.Account) error
}

// Owners keeps the notes of apps' owners in the ledger up to date, so that a
// recovery gives each app back to its last owner, not to its first. The store
// is the truth; a note that could not be written when an app got another owner
// is written at the next start.
type Owners struct {
	people People
	notes  OwnerNotes
	mu     sync.Mutex // held while a note is written: the last one must be the newest
}

// NewOwners makes Owners. Nothing is started.
func NewOwners(p People, n OwnerNotes) *Owners { return &Owners{people: p, notes: n} }

// KeepOwner writes the note of an app's owner: the one in the store, or in app
// while the store does not have it yet. It writes none for an owner without an
// account.
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

// Resume writes the notes of all apps, for some were made by older versions of
// Renga, and a crash may have cut one short. It goes on after an error, and
// returns the first.
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
