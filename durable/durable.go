// Package durable writes files that are whole after a crash or a power loss.
//
// A file is written under a temporary name, synced, and renamed; then its
// folder is synced, too. A reader finds the old content or the new one, never a
// part, and always the new one after a return of nil. The package also tells
// how much a disk still takes.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// partial begins the names of temporary files. A crash may leave one, with the
// mode of the final file; see [Partial].
const partial = ".partial-"

// WriteFile replaces the file at path, or makes it, with the content and
// exactly the mode. Its folder must exist. After an error the file may have the
// old content or the new one.
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	return write(path, content, mode, os.Rename)
}

// CreateFile makes the file at path. If it exists the error is [fs.ErrExist],
// and it stays as it is. If several create it at once, one wins.
func CreateFile(path string, content []byte, mode fs.FileMode) error {
	// A link, unlike a rename, never replaces an existing file.
	return write(path, content, mode, os.Link)
}

// SyncDir makes the entries of a folder outlive a power loss.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Partial gives the paths of the files in a folder whose writing was cut short
// or is under way.
func Partial(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partial) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

func write(path string, content []byte, mode fs.FileMode, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	beside, err := fill(dir, content, mode)
	if err != nil {
		return err
	}
	if err := place(beside, path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) { // a rename took it along
		return err
	}
	return SyncDir(dir)
}

// fill makes a synced file of any name in dir.
func fill(dir string, content []byte, mode fs.FileMode) (string, error) {
	file, err := os.CreateTemp(dir, partial+"*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err == nil {
		err = errors.Join(file.Chmod(mode), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
