package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/registry"
)

var ledgerBorn = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ledgerDatabase is an add-on with something in each field.
func ledgerDatabase() renga.AddOn {
	return renga.AddOn{
		ID: "70000000-0000-4000-8000-000000000001", Name: "postgresql-curved-1", Host: "postgresql-flat-1.internal",
		App: ledgerShop.ID, Service: "heroku-postgresql", Plan: "essential-0", Options: map[string]string{"version": "17"},
		State: renga.Provisioned, Fault: "It is slow.", Admin: "s3cret-admin", Generation: 2,
		Warnings: renga.Warnings{renga.MeasureData: 80},
		Partner: renga.Partner{
			ID: "p1", Config: map[string]renga.Secret{"DATABASE_TOKEN": "s3cret-token"}, State: renga.PartnerProvides,
			Plan: "essential-0", CodeUntil: ledgerBorn,
		},
		Credentials: []renga.Credential{
			{Name: "default", Version: 1, User: "u1", Password: "s3cret-1", State: renga.CredentialRevoking, CreatedAt: ledgerBorn},
			{Name: "default", Version: 2, User: "u2", Password: "s3cret-2", State: renga.CredentialActive, CreatedAt: ledgerBorn},
		},
		Attachments: []renga.Attachment{{ID: "a1", App: ledgerShop.ID, Name: "DATABASE", Credential: "default", CreatedAt: ledgerBorn}},
		By:          ledgerAlice.ID, ChangedBy: ledgerBob.ID, CreatedAt: ledgerBorn,
	}
}

func (w *ledgerFixture) addOnFile(app string, id renga.AddOnID) string {
	return filepath.Join(w.dir, "docker/registry/v2/repositories", app, "releases/_renga/addons", string(id))
}

func TestLedgerKnowsAddOnsBesideTheReleases(t *testing.T) {
	w := newLedgerFixture(t)
	a := ledgerDatabase()
	if err := w.KeepAddOn(t.Context(), ledgerShop, a); renga.KindOf(err) != renga.Conflict {
		t.Fatalf("an app without releases: %v, want conflict", err)
	}
	if left := w.files(func(string) bool { return true }); len(left) > 0 {
		t.Fatalf("left %v", left)
	}
	w.chain(2, nil)
	if all, err := w.AddOns(t.Context(), ledgerShop); err != nil || len(all) > 0 {
		t.Fatalf("never written down: %v, %v", all, err)
	}
	must(t, w.KeepAddOn(t.Context(), ledgerShop, a))
	all, err := w.AddOns(t.Context(), ledgerShop)
	if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], a) || all[0].Credentials[1].Password != "s3cret-2" {
		t.Fatalf("it comes back as %+v, %v; want %+v", all, err, a)
	}
	if note := w.read(w.addOnFile("shop", a.ID)); bytes.Contains(note, []byte("s3cret")) || bytes.Contains(note, []byte("curved")) {
		t.Error("the note is not sealed")
	}
	w.versions(2) // and the releases are as they were
	w.keys.rotate(t)
	if all, err := w.AddOns(t.Context(), ledgerShop); err != nil || len(all) != 1 {
		t.Errorf("after a rotation of keys: %v, %v", all, err)
	}
	for range 2 {
		must(t, w.ForgetAddOn(t.Context(), ledgerShop, a.ID))
	}
	if all, err := w.AddOns(t.Context(), ledgerShop); err != nil || len(all) > 0 {
		t.Errorf("forgotten: %v, %v", all, err)
	}
	must(t, w.KeepAddOn(t.Context(), ledgerShop, a))
	must(t, w.Remove(t.Context(), "shop"))
	if _, err := os.Stat(w.addOnFile("shop", a.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note outlives the app: %v", err)
	}
}

// Whoever can write files of the registry gives no app another's add-on, and makes
// none of what is there another one.
func TestLedgerRefusesAForeignAddOn(t *testing.T) {
	w := newLedgerFixture(t)
	w.chain(1, nil)
	a := ledgerDatabase()
	must(t, w.KeepAddOn(t.Context(), ledgerShop, a))
	note := w.read(w.addOnFile("shop", a.ID))
	refused := func(app renga.App, what string) {
		t.Helper()
		var flaw *registry.Flaw
		if all, err := w.AddOns(t.Context(), app); len(all) > 0 || !errors.As(err, &flaw) {
			t.Errorf("%s: %+v, %v; want a flaw", what, all, err)
		}
	}
	refused(renga.App{ID: "another", Name: "shop"}, "beside another app's releases")
	w.write(w.addOnFile("shop", a.ID), append(bytes.Clone(note), 'x'))
	refused(ledgerShop, "altered")
	must(t, os.Remove(w.addOnFile("shop", a.ID)))
	w.write(w.addOnFile("shop", "70000000-0000-4000-8000-000000000002"), note)
	refused(ledgerShop, "under another add-on's id")
	must(t, w.KeepAddOn(t.Context(), ledgerShop, a))
	all, err := w.AddOns(t.Context(), ledgerShop)
	if len(all) != 1 || err == nil || !strings.Contains(err.Error(), "000000000002") {
		t.Errorf("beside a bad one: %+v, %v; want the good one, and the name of the bad", all, err)
	}
	for _, id := range []renga.AddOnID{"../owner", "", "70000000-0000-4000-8000-00000000000/", "x"} {
		a.ID = id
		if err := w.KeepAddOn(t.Context(), ledgerShop, a); err == nil {
			t.Errorf("an add-on %q is noted", id)
		}
		if err := w.ForgetAddOn(t.Context(), ledgerShop, id); err == nil {
			t.Errorf("an add-on %q is forgotten", id)
		}
	}
}
