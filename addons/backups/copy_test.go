package backups_test

import (
	"strings"
	"testing"

	"renga"
)

// Data go straight from one add-on into another, and nothing is kept of them.
func TestCopy(t *testing.T) {
	f := newFixture(t)
	db, spare := f.addOn("first-db", blog, long), f.addOn("second-db", other, "spare")
	c, err := f.Copy(t.Context(), db, spare, ada)
	if err != nil {
		t.Fatal(err)
	}
	c = f.reaches(c, renga.BackupCompleted)
	if f.data.get(spare.ID) != long || f.data.get(db.ID) != long || len(f.files()) != 0 {
		t.Errorf("the target has %d bytes, the source %d; kept are %v", len(f.data.get(spare.ID)), len(f.data.get(db.ID)), f.files())
	}
	if c.App != other || c.From != db.ID || c.OfName != "first-db" || c.SourceBytes != 2*int64(len(long)) || c.Restorable() {
		t.Errorf("the copy is %+v", c)
	}
	f.says("Copy of first-db into second-db completed")
	if err := f.Delete(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// However a copy breaks off, it says why, and the target gets no part of a dump.
func TestACopyThatBreaksOffReplacesNothing(t *testing.T) {
	for what, c := range map[string]struct {
		dump, restore error
		want          string
	}{
		"the dump":    {dump: renga.Errorf(renga.Unavailable, "Its dump ended with status 1."), want: "Its dump ended with status 1."},
		"the restore": {restore: renga.Errorf(renga.Unavailable, "It takes nothing."), want: "It takes nothing."},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t)
			db, spare := f.addOn("first-db", blog, long), f.addOn("second-db", blog, "spare")
			f.data.fail, f.data.refuse = c.dump, c.restore
			asked, err := f.Copy(t.Context(), db, spare, ada)
			if err != nil {
				t.Fatal(err)
			}
			asked = f.reaches(asked, renga.BackupFailed)
			if asked.Reason != c.want || f.data.get(spare.ID) != "spare" {
				t.Errorf("it failed for %q, and the target has %d bytes", asked.Reason, len(f.data.get(spare.ID)))
			}
		})
	}
}

// What is canceled, and what Renga ends in the middle of, leaves the target alone.
func TestACopyThatIsCutShort(t *testing.T) {
	f := newFixture(t)
	db, spare := f.addOn("first-db", blog, long), f.addOn("second-db", blog, "spare")
	unhold := f.data.hold()
	begin := func() renga.Backup {
		c, err := f.Copy(t.Context(), db, spare, ada)
		if err != nil {
			t.Fatal(err)
		}
		<-f.data.begun
		return c
	}
	canceled := begin()
	if _, err := f.Copy(t.Context(), db, spare, ada); renga.KindOf(err) != renga.Conflict {
		t.Errorf("a second one into the same: %v", err)
	}
	if err := f.Cancel(t.Context(), canceled); err != nil {
		t.Fatal(err)
	}
	f.reaches(canceled, renga.BackupCanceled)
	killed := begin()
	f.stop()
	unhold()
	f.start()
	if killed = f.reaches(killed, renga.BackupFailed); !strings.Contains(killed.Reason, "Copy them again") {
		t.Errorf("it failed for %q", killed.Reason)
	}
	if f.data.get(spare.ID) != "spare" {
		t.Errorf("the target has %d bytes", len(f.data.get(spare.ID)))
	}
}

func TestCopiesThatCannotBe(t *testing.T) {
	f := newFixture(t)
	db := f.addOn("first-db", blog, "data")
	cache := f.addOn("a-cache", blog, "data")
	cache.Service = "memcachedcloud"
	for what, c := range map[string]struct{ from, to renga.AddOn }{
		"onto itself": {db, db}, "into another service": {db, cache}, "of what has no backups": {cache, cache},
	} {
		if _, err := f.Copy(t.Context(), c.from, c.to, ada); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}
