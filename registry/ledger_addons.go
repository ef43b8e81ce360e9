package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"renga"
	"renga/durable"
)

const (
	// ledgerAddOnType is bound to the sealed notes, so that they are taken for
	// nothing else.
	ledgerAddOnType   = "application/vnd.renga.addon.v1"
	ledgerAddOnFormat = 1
)

// ledgerAddOn is the sealed note of an add-on. It is beside the releases of the app
// that the add-on was made for, as the owner's note is, and for the same reasons.
type ledgerAddOn struct {
	Format int         `json:"format"`
	AddOn  renga.AddOn `json:"addon"` // its secrets are written as [redacted] there
	// The secrets, for all of the note is sealed.
	Admin     string            `json:"admin,omitempty"`
	Passwords []string          `json:"passwords,omitempty"` // of the credentials, in their order
	Partner   map[string]string `json:"partner,omitempty"`   // config vars by their names
}

var ledgerAddOnID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (l *Ledger) addOnsDir(appName string) string {
	return filepath.Join(l.notesDir(appName), "addons")
}

// addOnFile is where an add-on's note is. No id leads elsewhere.
func (l *Ledger) addOnFile(appName string, id renga.AddOnID) (string, error) {
	if err := renga.ValidateAppName(appName); err != nil {
		return "", err
	}
	if !ledgerAddOnID.MatchString(string(id)) {
		return "", fmt.Errorf("note of add-on: %q is no id", renga.Clip(string(id), 40))
	}
	return filepath.Join(l.addOnsDir(appName), string(id)), nil
}

// KeepAddOn writes the note of an add-on beside the releases of the app that it was
// made for. It survives a power loss once this returns. If there are no releases the
// app has just been renamed or removed, which is renga.Conflict.
func (l *Ledger) KeepAddOn(_ context.Context, app renga.App, a renga.AddOn) error {
	file, err := l.addOnFile(app.Name, a.ID)
	if err != nil {
		return err
	}
	return l.keepNote(app, file, "note of add-on "+a.Name, ledgerAddOnBinding(app.ID, a.ID), newLedgerAddOn(a))
}

// ForgetAddOn removes the note of an add-on. One that is not there is no error.
func (l *Ledger) ForgetAddOn(_ context.Context, app renga.App, id renga.AddOnID) error {
	file, err := l.addOnFile(app.Name, id)
	if err != nil {
		return err
	}
	err = os.Remove(file)
	if err == nil {
		err = durable.SyncDir(filepath.Dir(file))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove note of add-on %s: %w", id, err)
	}
	return nil
}

// AddOns reads the notes of the add-ons that were made for an app. Beside those that
// are whole it gives an error that names the others: each is a [*Flaw] if it was
// altered, or is of another app or add-on.
func (l *Ledger) AddOns(_ context.Context, app renga.App) ([]renga.AddOn, error) {
	if err := renga.ValidateAppName(app.Name); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(l.addOnsDir(app.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list notes of add-ons: %w", err)
	}
	var all []renga.AddOn
	var bad []error
	for _, f := range files {
		if !ledgerAddOnID.MatchString(f.Name()) {
			continue // half written
		}
		a, err := l.addOn(app, renga.AddOnID(f.Name()))
		if err != nil {
			bad = append(bad, fmt.Errorf("note of add-on %s: %w", f.Name(), err))
			continue
		}
		all = append(all, a)
	}
	return all, errors.Join(bad...)
}

func (l *Ledger) addOn(app renga.App, id renga.AddOnID) (renga.AddOn, error) {
	file, err := l.addOnFile(app.Name, id)
	if err != nil {
		return renga.AddOn{}, err
	}
	sealed, err := os.ReadFile(file)
	if err != nil {
		return renga.AddOn{}, err
	}
	plain, err := l.openNote(sealed, ledgerAddOnBinding(app.ID, id))
	if err != nil {
		return renga.AddOn{}, err
	}
	a, err := parseLedgerAddOn(plain)
	if err == nil && (a.ID != id || a.App != app.ID) {
		err = flawf("it is of another add-on, or of another app's")
	}
	return a, err
}

func newLedgerAddOn(a renga.AddOn) ledgerAddOn {
	doc := ledgerAddOn{Format: ledgerAddOnFormat, AddOn: a, Admin: string(a.Admin), Partner: map[string]string{}}
	for _, c := range a.Credentials {
		doc.Passwords = append(doc.Passwords, string(c.Password))
	}
	for name, value := range a.Partner.Config {
		doc.Partner[name] = string(value)
	}
	return doc
}

// parseLedgerAddOn ignores fields that later versions may add.
func parseLedgerAddOn(plain []byte) (renga.AddOn, error) {
	var doc ledgerAddOn
	if err := json.Unmarshal(plain, &doc); err != nil {
		return renga.AddOn{}, flawf("the sealed note is no JSON")
	}
	if doc.Format < 1 || doc.Format > ledgerAddOnFormat || len(doc.Passwords) != len(doc.AddOn.Credentials) {
		return renga.AddOn{}, flawf("the sealed note has format %d and this Renga reads up to %d, or it is not whole",
			doc.Format, ledgerAddOnFormat)
	}
	a := doc.AddOn
	a.Admin = renga.Secret(doc.Admin)
	for i, password := range doc.Passwords {
		a.Credentials[i].Password = renga.Secret(password)
	}
	a.Partner.Config = nil
	for name, value := range doc.Partner {
		if a.Partner.Config == nil {
			a.Partner.Config = map[string]renga.Secret{}
		}
		a.Partner.Config[name] = renga.Secret(value)
	}
	return a, nil
}

// ledgerAddOnBinding is the associated data of a note, so that it opens neither
// beside another app's releases nor as another add-on's.
func ledgerAddOnBinding(app renga.AppID, id renga.AddOnID) []byte {
	return fmt.Appendf(nil, "%s\napp=%q\naddon=%q\n", ledgerAddOnType, app, id)
}
