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
	"renga/durable"
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
	return filepath.Join(l.dir, repositoryDir(appName), string(releasesPart), "_renga", "owner")
}

// KeepOwner writes the note of an app's owner, which survives a power loss once
// it returns. If there are no releases the app has just been renamed or
// removed, which is renga.Conflict.
func (l *Ledger) KeepOwner(ctx context.Context, app renga.App, owner renga.Account) error {
	if known, err := l.Owner(ctx, app); err == nil && known.ID == owner.ID && known.Email == owner.Email {
		return nil
	}
	plain, err := json.Marshal(ledgerOwner{
		Format: ledgerOwnerFormat, App: string(app.ID), ID: string(owner.ID), Email: owner.Email,
		CreatedAt: owner.CreatedAt.UTC(),
	})
	if err != nil {
		return fmt.Errorf("write owner of app %s: %w", app.Name, err)
	}
	sealed, err := l.sealer.Seal(plain, ledgerOwnerBinding(app.ID))
	if err == nil {
		err = l.writeOwner(l.ownerFile(app.Name), sealed)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return renga.Errorf(renga.Conflict,
			"The releases of the app %s are not where they were: it was just renamed or removed. Try again.", app.Name)
	case err != nil:
		return fmt.Errorf("write owner of app %s: %w", app.Name, ledgerNoSpace(err))
	}
	return nil
}

// writeOwner makes no directory but the file's own, so that nothing appears
// under a name that an app has just given up.
func (l *Ledger) writeOwner(file string, sealed []byte) error {
	dir := filepath.Dir(file)
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = durable.SyncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.WriteFile(file, sealed, 0o600)
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
	plain, err := l.sealer.Open(sealed, ledgerOwnerBinding(app.ID))
	if err != nil {
		return renga.Account{}, fmt.Errorf("read owner of app %s: %w", app.Name, flawf("open the sealed note: %w", err))
	}
	owner, err := parseLedgerOwner(plain)
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
