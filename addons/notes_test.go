package addons_test

import (
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renga"
	"renga/addons"
	"renga/store/storetest"
)

// agrees checks that the note of an add-on says what the store does.
func (f *fixture) agrees(id renga.AddOnID) {
	f.Helper()
	storetest.Poll(f.T, "the note to agree with the store", func() bool {
		a, err := f.db.AddOn(f.Context(), id)
		note, noted := f.notes.Of(id)
		a.Step, a.UpdatedAt = "", time.Time{}
		return err == nil && noted && reflect.DeepEqual(a, note)
	})
}

// TestEveryChangeIsNoted, passwords and all.
func TestEveryChangeIsNoted(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	f.agrees(a.ID)
	f.must(f.Rotate(t.Context(), a.ID, renga.DefaultCredential, ada))
	f.agrees(a.ID)
	f.must(f.Rename(t.Context(), a.ID, "renamed"))
	f.agrees(a.ID)
	at, err := f.Attach(t.Context(), a.ID, renga.AttachmentRequest{App: admin, Name: "LEDGER"}, ada)
	f.must(err)
	f.agrees(a.ID)
	f.must(f.Detach(t.Context(), a.ID, at.ID, ada))
	f.must(f.ChangePlan(t.Context(), a.ID, "heroku-postgresql:standard-0", ada))
	f.agrees(a.ID)
	f.must(f.Destroy(t.Context(), a.ID, true, ada))
	f.gone(a.ID)
	if note, noted := f.notes.Of(a.ID); noted {
		t.Errorf("its note is left: %+v", note)
	}
}

// TestNothingIsMadeThatIsNotNoted: the note comes before the service, and what could
// not be noted is noted later.
func TestNothingIsMadeThatIsNotNoted(t *testing.T) {
	f := newFixture(t)
	var full atomic.Bool
	full.Store(true)
	f.notes.Fault = func() error {
		if full.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}
	a, err := f.Create(t.Context(), f.app(blog), renga.AddOnRequest{Plan: "heroku-postgresql"}, ada)
	f.must(err)
	f.Look(a.ID)
	if f.server.has(a.ID) {
		t.Error("it is made, and not noted")
	}
	full.Store(false)
	f.reaches(a.ID, renga.Provisioned)
	f.agrees(a.ID)
	full.Store(true) // and what is to be removed stays in the record until its note is gone
	_ = f.Destroy(t.Context(), a.ID, false, ada)
	if _, err := f.db.AddOn(t.Context(), a.ID); err != nil {
		t.Errorf("the record is gone before the note: %v", err)
	}
	full.Store(false)
	f.gone(a.ID)
}

// TestEveryStartMakesTheNotesAgree, those of older versions of Renga.
func TestEveryStartMakesTheNotesAgree(t *testing.T) {
	f := newFixture(t)
	a := f.create(renga.AddOnRequest{Plan: "heroku-postgresql"})
	f.stop()
	f.must(f.notes.ForgetAddOn(t.Context(), f.app(blog), a.ID))
	f.start()
	f.agrees(a.ID)
}

// TestANoteComesBackAsFarAsItIsOfToday.
func TestANoteComesBackAsFarAsItIsOfToday(t *testing.T) {
	note := renga.AddOn{
		ID: "1", Name: "db", App: blog, State: renga.Provisioned, Generation: 2,
		Credentials: []renga.Credential{{Name: "default", Version: 2, Password: "old", State: renga.CredentialActive}},
		Attachments: []renga.Attachment{{ID: "a", App: blog, Name: "DATABASE"}, {ID: "b", App: admin, Name: "LEDGER"}},
	}
	has := func(version int) map[renga.AddOnID]renga.Credentials {
		return map[renga.AddOnID]renga.Credentials{"1": {Version: version}}
	}
	none := map[renga.AddOnID]renga.Credentials{}
	a, err := addons.Revive(note, addons.Newest{blog: has(2), admin: none}, false)
	if err != nil || !reflect.DeepEqual(a, note) {
		t.Errorf("of today: %+v, %v", a, err)
	}
	a, err = addons.Revive(note, addons.Newest{blog: has(2)}, false)
	if err != nil || len(a.Attachments) != 1 || a.Attachments[0].App != blog {
		t.Errorf("attached to an app that is gone: %+v, %v", a, err)
	}
	if a, err = addons.Revive(note, addons.Newest{blog: none, admin: none}, false); renga.KindOf(err) != renga.NotFound {
		t.Errorf("destroyed since: %+v, %v", a, err)
	}
	if a, err = addons.Revive(note, addons.Newest{blog: nil, admin: none}, false); err != nil {
		t.Errorf("where the newest release cannot be read: %+v, %v", a, err)
	}
	making, loose := note.Clone(), note.Clone()
	making.State, loose.Attachments = renga.Provisioning, nil
	for what, unreleased := range map[string]renga.AddOn{"being made when the data were lost": making, "attached to nothing": loose} {
		if _, err = addons.Revive(unreleased, addons.Newest{blog: none}, false); renga.KindOf(err) != renga.Conflict ||
			!strings.Contains(err.Error(), "--unreleased") {
			t.Errorf("%s, perhaps destroyed since: %v", what, err)
		}
		if a, err = addons.Revive(unreleased, addons.Newest{blog: none}, true); err != nil || a.State != unreleased.State {
			t.Errorf("%s, of today as the operator says: %+v, %v", what, a, err)
		}
	}
	going := note.Clone()
	going.State = renga.Deprovisioning
	if a, err = addons.Revive(going, addons.Newest{blog: none}, false); err != nil || a.State != renga.Deprovisioning {
		t.Errorf("being removed then: %+v, %v", a, err)
	}
	a, err = addons.Revive(note, addons.Newest{blog: has(5), admin: none}, false)
	if err != nil || len(a.Credentials) != 2 || a.Generation != 6 || a.Credentials[0].State != renga.CredentialRevoking ||
		a.Credentials[1].State != renga.CredentialNew || a.Credentials[1].Version != 6 || a.Credentials[1].Password == "old" {
		t.Errorf("rotated since: %+v, %v; want another password, and the old one ended", a, err)
	}
}
