package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"renga"
)

const (
	// ledgerOwnerType is bound to the sealed note, so that it is taken for
	// nothing else.
	ledgerOwnerType   = "application/vnd.renga.owner.v1"
	ledgerOwnerFormat = 1
)

// ledgerOwner is the sealed note of an app's owner. It cannot be in a release,
// for a release never changes, and giving an app away makes none. It is a small
// file in the directory of the releases, replaced as a whole: so it is renamed,
// backed up and removed with them, and the registry's clients cannot reach it,
// for no repository's name begins with "_".
type ledgerOwner struct {
	Format    int       `json:"format"`
	App       string    `json:"app"`
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"` // of the account
}

func (l *Ledger) ownerFile(appName string) string {
	return filepath.Join(l.notesDir(appName), "owner")
}

// KeepOwner writes the note of an app's owner, which survives a power loss once
// it returns. If there are no releases the app has just been renamed or
// removed, which is renga.Conflict.
func (l *Ledger) KeepOwner(ctx context.Context, app renga.App, owner renga.Account) error {
	if known, err := l.Owner(ctx, app); err == nil && known.ID == owner.ID && known.Email == owner.Email {
		return nil
	}
	return l.keepNote(app, l.ownerFile(app.Name), "owner of app "+app.Name, ledgerOwnerBinding(app.ID), ledgerOwner{
		Format: ledgerOwnerFormat, App: string(app.ID), ID: string(owner.ID), Email: owner.Email,
		CreatedAt: owner.CreatedAt.UTC(),
	})
}

// Owner reads the note of an app's owner. It is renga.NotFound if there is
// none, as with older versions of Renga, and a [*Flaw] if it was altered or is
// of another app.
func (l *Ledger) Owner(_ context.Context, app renga.App) (renga.Account, error) {
	if err := renga.ValidateAppName(app.Name); err != nil {
		return renga.Account{}, err
	}
	sealed, err := os.ReadFile(l.ownerFile(app.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return renga.Account{}, renga.Errorf(renga.NotFound, "The registry does not say who owns the app %s.", app.Name)
	}
	if err != nil {
		return renga.Account{}, fmt.Errorf("read owner of app %s: %w", app.Name, err)
	}
	plain, err := l.openNote(sealed, ledgerOwnerBinding(app.ID))
	var owner renga.Account
	if err == nil {
		owner, err = parseLedgerOwner(plain)
	}
	if err != nil {
		return renga.Account{}, fmt.Errorf("read owner of app %s: %w", app.Name, err)
	}
	return owner, nil
}

// parseLedgerOwner ignores fields that later versions may add.
func parseLedgerOwner(plain []byte) (renga.Account, error) {
	var doc ledgerOwner
	if err := json.Unmarshal(plain, &doc); err != nil {
		return renga.Account{}, flawf("the sealed note is no JSON")
	}
	if doc.Format < 1 || doc.Format > ledgerOwnerFormat || doc.ID == "" || doc.Email == "" {
		return renga.Account{}, flawf("the sealed note has format %d and this Renga reads up to %d, or it names nobody",
			doc.Format, ledgerOwnerFormat)
	}
	return renga.Account{
		ID: renga.AccountID(doc.ID), Email: doc.Email, CreatedAt: doc.CreatedAt, UpdatedAt: doc.CreatedAt,
	}, nil
}

// ledgerOwnerBinding is the associated data of the note, so that it does not
// open beside another app's releases.
func ledgerOwnerBinding(app renga.AppID) []byte {
	return fmt.Appendf(nil, "%s\napp=%q\n", ledgerOwnerType, app)
}
