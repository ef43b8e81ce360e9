package main

import (
	"context"
	"errors"
	"fmt"

	"renga"
	"renga/registry"
	"renga/releaser"
	"renga/store"
)

// setOwner gives an app to an account. It may run beside a running platform.
// Unlike a transfer it asks nobody, and leaves who had the app no right to it:
// that may be somebody who is gone, or an account that a recovery did not bring
// back.
func setOwner(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.parseSettings("owner", args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return errors.New("usage: renga owner [settings] APP EMAIL")
	}
	ledger, err := openLedger(s)
	if err != nil {
		return err
	}
	return withStore(ctx, p, s, func(db *store.Store) error {
		was, now, err := giveApp(ctx, db, ledger, rest[0], rest[1])
		if err != nil {
			return err
		}
		err = auditCommand(s, "renga owner",
			"app", now.Name, "app_id", now.ID, "owner", now.Owner, "was", was.Owner, "email", rest[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s belongs to %s now.\n", now.Name, rest[1])
		return err
	})
}

// giveApp makes the account the app's owner in the store, then in the ledger.
// Doing so again ends what was cut short.
func giveApp(ctx context.Context, db *store.Store, ledger *registry.Ledger, name, email string) (was, now renga.App, err error) {
	to, err := db.AccountByEmail(ctx, email)
	if err != nil {
		return was, now, err
	}
	if was, err = db.AppByName(ctx, name); err != nil {
		return was, now, err
	}
	now, err = db.UpdateApp(ctx, was.ID, func(a *renga.App) error {
		if a.Deleting {
			return renga.Errorf(renga.NotFound, "The app %s is being deleted.", a.Name)
		}
		a.Owner = to.ID
		delete(a.Collaborators, to.ID)
		return nil
	})
	if err != nil {
		return was, now, err
	}
	if err := withdrawOffers(ctx, db, now.ID); err != nil {
		return was, now, err
	}
	return was, now, releaser.NewOwners(db, ledger).KeepOwner(ctx, now)
}

// withdrawOffers takes back what a former owner has offered, lest it be accepted
// when the app comes back to them.
func withdrawOffers(ctx context.Context, db *store.Store, app renga.AppID) error {
	offers, err := db.Transfers(ctx)
	for _, t := range offers {
		if t.App != app || t.State != renga.TransferPending {
			continue
		}
		if gone := db.DeleteTransfer(ctx, t.ID); renga.KindOf(gone) != renga.NotFound {
			err = errors.Join(err, gone)
		}
	}
	return err
}
