package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The note of images that an app's old releases have lost, or will at once. It tells
// what was meant from damage. It is beside the note of the owner.
func (l *Ledger) expiredFile(appName string) string {
	return filepath.Join(l.notesDir(appName), "expired.json")
}

// expired reads the note. An image that was pushed again since is in it, too.
func (l *Ledger) expired(appName string) (map[string]bool, error) {
	raw, err := os.ReadFile(l.expiredFile(appName))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]bool{}, nil
	}
	var images []string
	if err == nil {
		err = json.Unmarshal(raw, &images)
	}
	if err != nil {
		return nil, fmt.Errorf("read which images of app %s have expired: %w", appName, err)
	}
	known := map[string]bool{}
	for _, image := range images {
		known[image] = true
	}
	return known, nil
}

// noteExpired adds images to the note; once it returns they may be removed.
func (l *Ledger) noteExpired(appName string, images []string) error {
	known, err := l.expired(appName)
	if err != nil {
		return err
	}
	before := len(known)
	for _, image := range images {
		known[image] = true
	}
	if len(known) == before {
		return nil
	}
	raw, err := json.Marshal(slices.Sorted(maps.Keys(known)))
	if err == nil {
		err = l.writeNote(appName, l.expiredFile(appName), raw)
	}
	if err != nil {
		return fmt.Errorf("note which images of app %s expire: %w", appName, ledgerNoSpace(err))
	}
	return nil
}
