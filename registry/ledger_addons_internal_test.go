package registry

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"renga"
)

// writtenNote is a note as versions until now have written it: this one must read it
// and write the same, or the add-ons of older data directories are lost at a recovery.
// Whoever gives a field another name gives the note a new format, and reads both.
const writtenNote = `{"format":1,"addon":{"ID":"70000000-0000-4000-8000-000000000001","Name":"the-db","Host":"a-db.internal",` +
	`"App":"shop","Service":"heroku-postgresql","Plan":"essential-0","Options":{"version":"17"},"State":"provisioned",` +
	`"Step":"","Fault":"It is slow.","Warnings":{"data":80},"Admin":"[redacted]","Partner":{"ID":"p1","Message":"Hello.",` +
	`"Config":{"DATABASE_TOKEN":"[redacted]"},"State":"provides","Plan":"essential-0","CodeUntil":"2026-01-02T03:04:05Z"},` +
	upgradeInNote + `"Generation":2,"Credentials":[{"Name":"default","Version":2,"User":"u2","Password":"[redacted]","State":"active",` +
	`"CreatedAt":"2026-01-02T03:04:05Z"}],"Attachments":[{"ID":"a1","App":"shop","Name":"DATABASE","Credential":"default",` +
	`"Takes":"DB","Leaving":true,"CreatedAt":"2026-01-02T03:04:05Z","UpdatedAt":"2026-01-02T03:04:05Z"}],"By":"ada",` +
	`"ChangedBy":"bob","CreatedAt":"2026-01-02T03:04:05Z","UpdatedAt":"2026-01-02T03:04:05Z"},"admin":"s3cret-admin",` +
	`"passwords":["s3cret-2"],"partner":{"DATABASE_TOKEN":"s3cret-token"}}`

// upgradeInNote is what notes have since there are upgrades.
const upgradeInNote = `"Home":"h2","Upgrade":{"State":"kept","Other":{"Home":"h1","Version":"15"},"Attempts":1,` +
	`"Reason":"It went well.","Failed":false,"By":"ada","AskedAt":"2026-01-02T03:04:05Z","EndedAt":"2026-01-02T03:04:05Z",` +
	`"KeptUntil":"2026-01-02T03:04:05Z"},`

func TestNotesOfAddOnsKeepTheirForm(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := renga.AddOn{
		ID: "70000000-0000-4000-8000-000000000001", Name: "the-db", Host: "a-db.internal", App: "shop",
		Service: "heroku-postgresql", Plan: "essential-0", Options: map[string]string{"version": "17"},
		State: renga.Provisioned, Fault: "It is slow.", Warnings: renga.Warnings{renga.MeasureData: 80}, Admin: "s3cret-admin",
		Partner: renga.Partner{
			ID: "p1", Message: "Hello.", Config: map[string]renga.Secret{"DATABASE_TOKEN": "s3cret-token"},
			State: renga.PartnerProvides, Plan: "essential-0", CodeUntil: at,
		},
		Home: "h2",
		Upgrade: renga.Upgrade{
			State: renga.UpgradeKept, Other: renga.Place{Home: "h1", Version: "15"}, Attempts: 1, Reason: "It went well.", By: "ada",
			AskedAt: at, EndedAt: at, KeptUntil: at,
		},
		Generation: 2,
		Credentials: []renga.Credential{{
			Name: "default", Version: 2, User: "u2", Password: "s3cret-2", State: renga.CredentialActive, CreatedAt: at,
		}},
		Attachments: []renga.Attachment{{
			ID: "a1", App: "shop", Name: "DATABASE", Credential: "default", Takes: "DB", Leaving: true, CreatedAt: at, UpdatedAt: at,
		}},
		By: "ada", ChangedBy: "bob", CreatedAt: at, UpdatedAt: at,
	}
	got, err := parseLedgerAddOn([]byte(writtenNote))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it is read as %+v, %v", got, err)
	}
	if text, err := json.Marshal(newLedgerAddOn(want)); err != nil || string(text) != writtenNote {
		t.Errorf("it is written as %s, %v", text, err)
	}
	older := strings.Replace(writtenNote, upgradeInNote, "", 1)
	want.Home, want.Upgrade = "", renga.Upgrade{}
	if got, err := parseLedgerAddOn([]byte(older)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("one of before is read as %+v, %v", got, err)
	}
}
