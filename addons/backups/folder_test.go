package backups_test

import (
	"path/filepath"
	"testing"

	"renga/addons/backups"
	"renga/addons/backups/placetest"
)

func TestFolder(t *testing.T) {
	placetest.Run(t, func(t *testing.T) *placetest.Bench {
		at := backups.Folder{Dir: filepath.Join(t.TempDir(), "backups")}
		return &placetest.Bench{
			Place: at, Part: 100_000,
			Again: func(*testing.T) backups.Place { return at },
			Left:  func(t *testing.T) []string { return filesBelow(t, at.Dir) },
		}
	})
}
