package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"renga"
	"renga/registry"
)

var (
	ledgerAlice = renga.Account{
		ID: "5f9b6a0e-0000-4000-8000-000000000001", Email: "alice@example.com",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	ledgerBob = renga.Account{ID: "5f9b6a0e-0000-4000-8000-000000000002", Email: "bob@example.com"}
)

func (w *ledgerFixture) ownerFile(app string) string {
	return filepath.Join(w.dir, "docker/registry/v2/repositories", app, "releases/_renga/owner")
}

func TestLedgerKnowsTheOwnerBesideTheReleases(t *testing.T) {
	w := newLedgerFixture(t)
	if err := w.KeepOwner(t.Context(), ledgerShop, ledgerAlice); renga.KindOf(err) != renga.Conflict {
		t.Fatalf("an app without releases: %v, want conflict", err)
	}
	if left := w.files(func(string) bool { return true }); len(left) > 0 {
		t.Fatalf("left %v", left)
	}
	w.chain(2, nil)
	if _, err := w.Owner(t.Context(), ledgerShop); renga.KindOf(err) != renga.NotFound {
		t.Fatalf("never written down: %v, want not found", err)
	}
	for _, owner := range []renga.Account{ledgerAlice, ledgerBob, ledgerAlice} {
		must(t, w.KeepOwner(t.Context(), ledgerShop, owner))
		if got, err := w.Owner(t.Context(), ledgerShop); err != nil || got != owner {
			t.Fatalf("owner %+v, %v; want %+v", got, err, owner)
		}
	}
	before := w.read(w.ownerFile("shop"))
	if bytes.Contains(before, []byte("alice")) {
		t.Error("the note is not sealed")
	}
	must(t, w.KeepOwner(t.Context(), ledgerShop, ledgerAlice))
	if !bytes.Equal(before, w.read(w.ownerFile("shop"))) {
		t.Error("the same was written again")
	}
	w.versions(2) // and the releases are as they were
	apps, err := w.Apps(t.Context())
	if err != nil || len(apps) != 1 || apps[0] != "shop" {
		t.Errorf("apps %v, %v", apps, err)
	}
	w.keys.rotate(t)
	if got, err := w.Owner(t.Context(), ledgerShop); err != nil || got != ledgerAlice {
		t.Errorf("after a rotation of keys %+v, %v", got, err)
	}
	must(t, w.Remove(t.Context(), "shop"))
	if _, err := os.Stat(w.ownerFile("shop")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note outlives the app: %v", err)
	}
}

// Whoever can write files of the registry makes nobody an owner.
func TestLedgerRefusesAForeignOwner(t *testing.T) {
	w := newLedgerFixture(t)
	w.chain(1, nil)
	must(t, w.KeepOwner(t.Context(), ledgerShop, ledgerAlice))
	other := renga.App{ID: "another", Name: "shop"} // the note of one app put beside another
	altered := append(w.read(w.ownerFile("shop")), 'x')
	wantFlaw := func(app renga.App) {
		t.Helper()
		var flaw *registry.Flaw
		if got, err := w.Owner(t.Context(), app); !errors.As(err, &flaw) {
			t.Errorf("%+v, %v; want a flaw", got, err)
		}
	}
	wantFlaw(other)
	w.write(w.ownerFile("shop"), altered)
	wantFlaw(ledgerShop)
	must(t, w.KeepOwner(t.Context(), ledgerShop, ledgerBob)) // the truth mends it
	if got, err := w.Owner(t.Context(), ledgerShop); err != nil || got.ID != ledgerBob.ID {
		t.Errorf("%+v, %v", got, err)
	}
}
