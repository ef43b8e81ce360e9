package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"renga"
	"renga/durable"
)

// Notes are files in the directory of an app's releases, sealed where they have
// secrets, and each replaced as a whole: they tell what is in no release, for it
// changes without one. They are renamed, backed up and removed with the releases, and
// the registry's clients cannot reach them, for no repository's name begins with "_".

// notesDir is where the notes of an app are.
func (l *Ledger) notesDir(appName string) string {
	return filepath.Join(l.dir, repositoryDir(appName), string(releasesPart), "_renga")
}

// keepNote writes a note, which survives a power loss once this returns. It opens with
// the same binding only. If there are no releases the app has just been renamed or
// removed, which is renga.Conflict.
func (l *Ledger) keepNote(app renga.App, file, what string, binding []byte, note any) error {
	plain, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	sealed, err := l.sealer.Seal(plain, binding)
	if err == nil {
		err = l.writeNote(app.Name, file, sealed)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return renga.Errorf(renga.Conflict,
			"The releases of the app %s are not where they were: it was just renamed or removed. Try again.", app.Name)
	case err != nil:
		return fmt.Errorf("write %s: %w", what, ledgerNoSpace(err))
	}
	return nil
}

// writeNote makes no directories but those of notes, so that nothing appears under a
// name that an app has just given up.
func (l *Ledger) writeNote(appName, file string, sealed []byte) error {
	dirs := []string{l.notesDir(appName)}
	if dir := filepath.Dir(file); dir != dirs[0] {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			err = durable.SyncDir(filepath.Dir(dir))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return durable.WriteFile(file, sealed, 0o600)
}

// openNote gives what a note says; a [*Flaw] if it was altered or has another binding.
func (l *Ledger) openNote(sealed, binding []byte) ([]byte, error) {
	plain, err := l.sealer.Open(sealed, binding)
	if err != nil {
		return nil, flawf("open the sealed note: %w", err)
	}
	return plain, nil
}
