package backups_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/addons/backups"
	"renga/seal"
)

// long is more than a segment of a sealed stream.
var long = strings.Repeat("m4rk3r and more of the same, ", 120_000)

// What was captured comes back, into the same add-on and into another, and lies on
// the disk sealed, for its owner only.
func TestDataComeBack(t *testing.T) {
	f := newFixture(t)
	db, spare := f.addOn("first-db", blog, long), f.addOn("second-db", other, "spare")
	b := f.captured(db)
	if b.Number != 1 || b.Bytes != int64(len(long)) || b.StoredBytes <= b.Bytes || b.SourceBytes != 2*b.Bytes ||
		b.By != ada || b.Version != "15" || b.FinishedAt.IsZero() {
		t.Errorf("the backup is %+v", b)
	}
	content, err := os.ReadFile(f.file(b))
	info, err2 := os.Stat(f.file(b))
	if err != nil || err2 != nil || strings.Contains(string(content), "m4rk3r") || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %d bytes, of mode %v, in clear: %v; %v", len(content), info.Mode(),
			strings.Contains(string(content), "m4rk3r"), err)
	}
	if int64(len(content)) != b.StoredBytes {
		t.Errorf("the file has %d bytes, the record says %d", len(content), b.StoredBytes)
	}
	f.data.set(db.ID, "changed")
	for _, to := range []renga.AddOn{db, spare} {
		r, err := f.Restore(t.Context(), b, to, ada)
		if err != nil {
			t.Fatal(err)
		}
		r = f.reaches(r, renga.BackupCompleted)
		if got := f.data.get(to.ID); got != long || r.App != to.App || r.Of != b.ID || !r.IsRestore() {
			t.Errorf("%s has %d bytes after the restore %+v", to.Name, len(got), r)
		}
	}
	f.says("Restore of a backup of first-db into second-db completed")
}

// A dump that broke off is no backup: no file stays, and nothing of it is restored.
func TestADumpThatBreaksOffIsNoBackup(t *testing.T) {
	f := newFixture(t)
	db := f.addOn("first-db", blog, long)
	f.data.fail = renga.Errorf(renga.Unavailable, "Its command ended with status 1.")
	b, err := f.Capture(t.Context(), db, "", ada)
	if err != nil {
		t.Fatal(err)
	}
	b = f.reaches(b, renga.BackupFailed)
	if b.Reason != "Its command ended with status 1." || len(f.files()) != 0 {
		t.Errorf("it failed for %q, and left %v", b.Reason, f.files())
	}
	f.says("Backup of first-db failed: Its command ended with status 1.")
	if _, err := f.Restore(t.Context(), b, db, ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("restoring it: %v", err)
	}
	if _, err := f.Offer(t.Context(), b); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a URL of it: %v", err)
	}
}

// Whatever is done to a file, nothing of it is restored.
func TestFilesThatWereTamperedWithAreNotRestored(t *testing.T) {
	f := newFixture(t)
	db, spare := f.addOn("first-db", blog, long), f.addOn("second-db", blog, "of another")
	b, foreign, older := f.captured(db), f.captured(spare), f.captured(db)
	whole, err := os.ReadFile(f.file(b))
	if err != nil {
		t.Fatal(err)
	}
	read := func(b renga.Backup) string {
		content, err := os.ReadFile(f.file(b))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	line, _, _ := strings.Cut(string(whole), "\n")
	flipped := []byte(string(whole))
	flipped[len(flipped)-100] ^= 1
	for name, content := range map[string]string{
		"cut off":                   string(whole[:len(whole)-1]),
		"cut off after a segment":   string(whole[:2<<20]),
		"empty":                     "",
		"one bit flipped":           string(flipped),
		"another add-on's":          read(foreign),
		"another one of the add-on": read(older),
		"another's behind its line": line + "\n" + strings.SplitN(read(older), "\n", 2)[1],
		"a header without an end":   strings.Repeat("x", 10_000),
	} {
		if err := os.WriteFile(f.file(b), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := f.Restore(t.Context(), b, db, ada)
		if err != nil {
			t.Fatal(err)
		}
		r = f.reaches(r, renga.BackupFailed)
		if f.data.restored != 0 || !strings.Contains(r.Reason, "cannot be read whole") {
			t.Errorf("%s: %d restores, for %q", name, f.data.restored, r.Reason)
		}
	}
}

// Only the keys that sealed a backup open it, and the file needs nothing else.
func TestAFileOpensWithTheKeysAlone(t *testing.T) {
	f := newFixture(t)
	b := f.captured(f.addOn("first-db", blog, long))
	open := func(keys backups.Keys) (backups.Header, string, error) {
		file, err := os.Open(f.file(b))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }() // it was only read
		h, dump, err := backups.Open(keys, file)
		if err != nil {
			return h, "", err
		}
		content, err := io.ReadAll(dump)
		return h, string(content), err
	}
	if err := f.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	h, content, err := open(f.keys)
	if err != nil || content != long || h.Name != "first-db" || h.Service != "heroku-postgresql" || h.Version != "15" {
		t.Errorf("it opens as %+v with %d bytes, %v", h, len(content), err)
	}
	strange, err := seal.Open(t.TempDir() + "/seal.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, content, err := open(strange); err == nil || content != "" {
		t.Errorf("with other keys it opens as %d bytes, %v", len(content), err)
	}
}

// One at a time of an add-on, two on the platform; the others wait.
func TestFewAreUnderWayAtOnce(t *testing.T) {
	f := newFixture(t)
	unhold := f.data.hold()
	var all []renga.Backup
	for _, name := range []string{"first-db", "second-db", "third-db"} {
		b, err := f.Capture(t.Context(), f.addOn(name, blog, "data"), "", ada)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
		f.pass(time.Second) // the oldest goes first
	}
	<-f.data.begun
	<-f.data.begun
	first, _ := f.db.AddOnByName(t.Context(), "first-db")
	if _, err := f.Capture(t.Context(), first, "", ada); renga.KindOf(err) != renga.Conflict {
		t.Errorf("a second one of the add-on: %v", err)
	}
	if b, _ := f.find(all[2]); b.State != renga.BackupPending || len(f.data.begun) != 0 {
		t.Errorf("the third is %s", b.State)
	}
	unhold()
	for _, b := range all {
		f.reaches(b, renga.BackupCompleted)
	}
}

// What somebody cancels ends at once, and leaves no file.
func TestCancel(t *testing.T) {
	f := newFixture(t)
	f.data.hold()
	b, err := f.Capture(t.Context(), f.addOn("first-db", blog, "data"), "", ada)
	if err != nil {
		t.Fatal(err)
	}
	<-f.data.begun
	if err := f.Delete(t.Context(), b); renga.KindOf(err) != renga.Invalid {
		t.Errorf("deleting what is under way: %v", err)
	}
	if err := f.Cancel(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	f.reaches(b, renga.BackupCanceled)
	if err := f.Cancel(t.Context(), b); renga.KindOf(err) != renga.Invalid {
		t.Errorf("canceling it again: %v", err)
	}
	if len(f.files()) != 0 {
		t.Errorf("%v are left", f.files())
	}
}

// What Renga ends in the middle of has failed at the next start, and says why; what a
// schedule asked for is done again. No file is left of either.
func TestWhatWasCutShortIsSettled(t *testing.T) {
	f := newFixture(t)
	first, second := f.addOn("first-db", blog, long), f.addOn("second-db", blog, long)
	unhold := f.data.hold()
	asked, err := f.Capture(t.Context(), first, "", ada)
	scheduled, err2 := f.Capture(t.Context(), second, "DATABASE_URL", ada)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	<-f.data.begun
	<-f.data.begun
	f.stop()
	// A kill leaves the files that were being written, and one that is whole, too.
	for _, path := range []string{f.file(asked), f.file(scheduled) + ".partial", f.file(asked) + ".partial"} {
		if err := errors.Join(os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o700),
			os.WriteFile(path, []byte("left"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	unhold()
	f.start()
	f.reaches(scheduled, renga.BackupCompleted)
	if b := f.reaches(asked, renga.BackupFailed); !strings.Contains(b.Reason, "Renga ended before it was whole") {
		t.Errorf("it failed for %q", b.Reason)
	}
	if files := f.files(); len(files) != 1 || files[0] != f.file(scheduled) {
		t.Errorf("%v are left", files)
	}
}

// A store that is away keeps Renga from ending for seconds at most, and the next start
// ends what has no record of its end. As long as Renga runs the record is made when
// the store is back.
func TestAStoreThatIsAwayHoldsUpNoShutdown(t *testing.T) {
	f := newFixture(t)
	f.away.tries = make(chan struct{}, 1)
	db := f.addOn("first-db", blog, long)
	cut := func() renga.Backup {
		unhold := f.data.hold()
		b, err := f.Capture(t.Context(), db, "", ada)
		if err != nil {
			t.Fatal(err)
		}
		<-f.data.begun
		f.away.away.Store(true)
		unhold()
		<-f.away.tries
		return b
	}
	b := cut()
	f.away.away.Store(false)
	f.reaches(b, renga.BackupCompleted)
	b = cut()
	began := time.Now()
	f.stop()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
	if b, _ = f.find(b); b.State != renga.BackupRunning {
		t.Fatalf("the backup is %s", b.State)
	}
	f.away.away.Store(false)
	f.start()
	if b = f.reaches(b, renga.BackupFailed); !strings.Contains(b.Reason, "Renga ended before it was whole") {
		t.Errorf("it failed for %q", b.Reason)
	}
	f.captured(db) // nothing keeps the next one from it
}

// A removal that a crash cut short is done at the next start.
func TestDelete(t *testing.T) {
	f := newFixture(t)
	db := f.addOn("first-db", blog, "data")
	b, cut := f.captured(db), f.captured(db)
	if err := f.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	err := f.db.EditBackup(t.Context(), blog, cut.ID, func(b *renga.Backup) error {
		b.Removing = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.restart()
	third := f.captured(db)
	if third.Number != 3 {
		t.Errorf("the next number is %d", third.Number)
	}
	all, err := f.db.BackupsOf(t.Context(), blog)
	if err != nil || len(all) != 1 || len(f.files()) != 1 {
		t.Errorf("there are %v, and files %v; %v", all, f.files(), err)
	}
}

// A disk without room, or a dump that is too large, is a backup that failed.
func TestBoundsOfSize(t *testing.T) {
	for name, c := range map[string]struct {
		free, most int64
		want       string
	}{
		"no room on the disk": {1 << 60, 0, "The disk of the backups is full"},
		"too large":           {0, 1 << 20, "The dump is larger than the 1 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.stop()
			f.free, f.most = c.free, c.most
			f.start()
			b, err := f.Capture(t.Context(), f.addOn("first-db", blog, long), "", ada)
			if err != nil {
				t.Fatal(err)
			}
			if b = f.reaches(b, renga.BackupFailed); !strings.Contains(b.Reason, c.want) || len(f.files()) != 0 {
				t.Errorf("it failed for %q, and left %v", b.Reason, f.files())
			}
		})
	}
}

// A URL is good once, and not for long; another one ends it.
func TestAURLIsGoodOnce(t *testing.T) {
	f := newFixture(t)
	b := f.captured(f.addOn("first-db", blog, "data"))
	offer := func() string {
		d, err := f.Offer(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	use := func(id string) renga.Kind {
		_, err := f.Use(t.Context(), blog, b.ID, id)
		return renga.KindOf(err)
	}
	first := offer()
	second := offer()
	if use(first) != renga.NotFound || use("") != renga.NotFound || use(second) != "" || use(second) != renga.NotFound {
		t.Error("it is not the newest URL, once, that is good")
	}
	late := offer()
	f.pass(11 * time.Minute)
	if use(late) != renga.NotFound {
		t.Error("a URL is good for too long")
	}
}

// What cannot be is refused before anything is recorded.
func TestRefusals(t *testing.T) {
	f := newFixture(t)
	db := f.addOn("first-db", blog, "data")
	b := f.captured(db)
	cache := db
	cache.Service = "memcachedcloud"
	if _, err := f.Capture(t.Context(), cache, "", ada); renga.MessageOf(err, "") != "Memcached has no backups." {
		t.Errorf("a backup of what has none: %v", err)
	}
	cache.Service = "heroku-redis"
	if _, err := f.Restore(t.Context(), b, cache, ada); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a restore into another service: %v", err)
	}
	all, err := f.db.BackupsOf(t.Context(), blog)
	if err != nil || len(all) != 1 {
		t.Errorf("there are %v, %v", all, err)
	}
}
