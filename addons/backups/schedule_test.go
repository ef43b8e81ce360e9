package backups_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/backups"
	"renga/store/storetest"
)

// schedule has an add-on backed up at an hour in Los Angeles.
func (f *fixture) schedule(a renga.AddOn, hour int) {
	f.Helper()
	_, err := f.db.PutBackupSchedule(f.Context(), renga.BackupSchedule{
		ID: uuid.NewString(), AddOn: a.ID, Name: "DATABASE_URL", Hour: hour, Zone: "America/Los_Angeles", Last: f.clock(),
		CreatedAt: f.clock(), By: ada,
	})
	if err != nil {
		f.Fatal(err)
	}
}

// count waits until an add-on has so many completed backups, and nothing under way.
func (f *fixture) count(a renga.AddOn, want int) []renga.Backup {
	f.Helper()
	var whole []renga.Backup
	storetest.Poll(f.T, fmt.Sprintf("%d backups", want), func() bool {
		all, err := f.db.BackupsOf(f.Context(), a.App)
		if err != nil {
			f.Fatal(err)
		}
		whole = nil
		for _, b := range all {
			if b.AddOn == a.ID && b.Restorable() {
				whole = append(whole, b)
			}
		}
		return len(whole) == want
	})
	return whole
}

// A schedule's backups are made each once, late ones too, and go with its add-on.
func TestScheduledBackups(t *testing.T) {
	f := newFixture(t) // it is noon in UTC, four in the morning in Los Angeles
	db := f.addOn("first-db", blog, "data")
	f.schedule(db, 5)
	f.pass(59 * time.Minute)
	f.restart()
	f.captured(f.addOn("second-db", blog, "data")) // which is behind a look at the schedules
	f.count(db, 0)
	f.pass(time.Minute)
	f.restart()
	all := f.count(db, 1)
	if b := all[0]; b.Schedule != "DATABASE_URL" || b.By != ada {
		t.Errorf("the backup is %+v", b)
	}
	f.restart()
	f.captured(f.addOn("third-db", blog, "data"))
	f.count(db, 1)
	f.pass(3 * 24 * time.Hour) // Renga was down meanwhile
	f.restart()
	f.count(db, 2)
	if err := f.db.RemoveAddOn(t.Context(), db.ID); err != nil {
		t.Fatal(err)
	}
	f.pass(24 * time.Hour)
	f.restart()
	storetest.Poll(t, "no schedule", func() bool {
		left, err := f.db.BackupSchedules(t.Context())
		return err == nil && len(left) == 0
	})
	storetest.Poll(t, "a note that the add-on is gone", func() bool {
		all := f.count(db, 2)
		return !all[0].GoneAt.IsZero() && !all[1].GoneAt.IsZero()
	})
	f.pass(8 * 24 * time.Hour)
	f.restart()
	f.count(db, 0)
}

func TestTimesOfSchedules(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, c := range []struct {
		hour      int
		zone      string
		last, now string
		due       string // empty for none
	}{
		{2, "UTC", "2026-03-01 12:00", "2026-03-02 01:59", ""},
		{2, "UTC", "2026-03-01 12:00", "2026-03-02 02:00", "2026-03-02 02:00"},
		{2, "UTC", "2026-03-02 02:00", "2026-03-02 23:59", ""},
		{2, "UTC", "2026-03-01 02:00", "2026-03-09 01:00", "2026-03-08 02:00"},
		{23, "Pacific/Auckland", "2026-03-01 00:00", "2026-03-01 10:00", "2026-03-01 10:00"},
		{2, "Europe/Berlin", "2026-03-28 12:00", "2026-03-29 12:00", "2026-03-29 01:00"}, // there is no 2:00
		{2, "Europe/Berlin", "2026-10-24 12:00", "2026-10-25 12:00", "2026-10-25 01:00"}, // there are two
	} {
		s := renga.BackupSchedule{Hour: c.hour, Zone: c.zone, Last: at(c.last)}
		due, is := s.Due(at(c.now))
		if is != (c.due != "") || is && !due.Equal(at(c.due)) {
			t.Errorf("%+v is due at %v, %v", c, due.UTC(), is)
		}
	}
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../../etc/passwd"} {
		if renga.KindOf(renga.ValidateBackupTime(2, zone)) != renga.Invalid {
			t.Errorf("%q is a zone", zone)
		}
	}
	if renga.ValidateBackupTime(24, "UTC") == nil || renga.ValidateBackupTime(-1, "UTC") == nil {
		t.Error("24 or -1 is an hour")
	}
}

// Of a schedule's the newest of each of the last days and weeks are kept, of others
// the newest ones; what is too many goes with its file.
func TestRetention(t *testing.T) {
	f := newFixture(t)
	f.stop()
	db := f.addOn("first-db", blog, "data")
	for day := range 60 {
		f.record(db, "DATABASE_URL", renga.BackupCompleted, day)
	}
	for range 30 {
		f.record(db, "", renga.BackupCompleted, 60)
		f.record(db, "", renga.BackupFailed, 60)
	}
	f.start()
	all := f.count(db, 7+2+25) // the newest of two of the four weeks are of the seven days
	failed, days := 0, map[string]bool{}
	every, err := f.db.BackupsOf(t.Context(), blog)
	for _, b := range every {
		if b.State == renga.BackupFailed {
			failed++
		}
	}
	for _, b := range all {
		if b.Schedule != "" {
			days[b.CreatedAt.Format("01-02")] = true
		}
	}
	for _, want := range []string{"04-29", "04-28", "04-27", "04-26", "04-25", "04-24", "04-23", "04-19", "04-12"} {
		if !days[want] {
			t.Errorf("%s is gone", want)
		}
	}
	if err != nil || failed > 10 {
		t.Errorf("%d that failed are kept, %v", failed, err)
	}
}

// record puts a backup that is over into the store, of some days later.
func (f *fixture) record(a renga.AddOn, schedule string, state renga.BackupState, day int) {
	f.Helper()
	at := f.clock().AddDate(0, 0, day)
	_, err := f.db.CreateBackup(f.Context(), renga.Backup{
		ID: renga.BackupID(uuid.NewString()), App: a.App, AddOn: a.ID, AddOnName: a.Name, Service: a.Service,
		Schedule: schedule, State: state, CreatedAt: at, FinishedAt: at,
	})
	if err != nil {
		f.Fatal(err)
	}
}

// The newest whole backup stays, whatever is to be kept.
func TestTheNewestBackupIsKept(t *testing.T) {
	f := newFixture(t)
	f.stop()
	f.keep = &backups.Retention{}
	db := f.addOn("first-db", blog, "data")
	for day := range 3 {
		f.record(db, "", renga.BackupCompleted, day)
	}
	f.start()
	if all := f.count(db, 1); all[0].Number != 3 {
		t.Errorf("%d is kept", all[0].Number)
	}
}
