package backups_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/addonstest"
	"renga/addons/backups"
	"renga/seal"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	ada   = renga.AccountID("ada")
	blog  = renga.AppID("10000000-0000-4000-8000-000000000001")
	other = renga.AppID("10000000-0000-4000-8000-000000000002")
)

// fixture is the room on a real store, real keys and a folder, which survive it.
type fixture struct {
	*testing.T
	*backups.Service
	db   *store.Store
	away awayStore
	keys *seal.Keyset
	dir  string
	data *fakeArchiver
	logs *addonstest.Logs
	// free is what must stay free of the disk, and most what a dump may have.
	free, most int64
	prove      bool
	keep       *backups.Retention // nil for the default

	mu   sync.Mutex
	now  time.Time
	stop func()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Open(filepath.Join(t.TempDir(), "seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		T: t, db: db, keys: keys, dir: filepath.Join(t.TempDir(), "backups"), logs: &addonstest.Logs{},
		data: newFakeArchiver(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	f.away.Store = db
	addonstest.NewApps(t, db, ada, map[renga.AppID]string{blog: "blog", other: "other"})
	f.start()
	t.Cleanup(func() { f.stop() })
	return f
}

// awayStore is a store that now and then takes no change of a backup.
type awayStore struct {
	*store.Store
	away  atomic.Bool
	tries chan struct{} // gets a value at each change that it does not take
}

// EditBackup changes one.
func (s *awayStore) EditBackup(ctx context.Context, app renga.AppID, id renga.BackupID, edit func(*renga.Backup) error) error {
	if !s.away.Load() {
		return s.Store.EditBackup(ctx, app, id, edit)
	}
	select {
	case s.tries <- struct{}{}:
	default:
	}
	return renga.Errorf(renga.Unavailable, "Redis does not answer.")
}

// start starts the room, anew if it was stopped.
func (f *fixture) start() {
	keep := backups.Retention{Days: 7, Weeks: 4, Asked: 25}
	if f.keep != nil {
		keep = *f.keep
	}
	f.Service = backups.New(backups.Parts{
		Store: &f.away, Schedules: f.db, Keep: keep, Prove: f.prove, AddOns: f.db, Archiver: f.data, Scratch: f.data, Keys: f.keys, Logs: f.logs,
		Place: backups.Folder{Dir: f.dir, MinFree: f.free}, MaxBytes: f.most,
		Log: slog.New(slog.NewTextHandler(f.T.Output(), nil)), Now: f.clock, NewID: uuid.NewString,
	})
	f.stop = addonstest.Run(f.Service)
}

func (f *fixture) restart() {
	f.stop()
	f.start()
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// addOn is a new one of an app, with data.
func (f *fixture) addOn(name string, app renga.AppID, content string) renga.AddOn {
	f.Helper()
	a := renga.AddOn{
		ID: renga.AddOnID(uuid.NewString()), Name: name, Host: name + renga.AddOnDomain, App: app, Service: "heroku-postgresql",
		Plan: "essential-0", Options: map[string]string{"version": "15"}, State: renga.Provisioned,
	}
	if err := f.db.CreateAddOn(f.Context(), a); err != nil {
		f.Fatal(err)
	}
	f.data.set(a.ID, content)
	return a
}

// captured is a backup that has completed.
func (f *fixture) captured(a renga.AddOn) renga.Backup {
	f.Helper()
	b, err := f.Capture(f.Context(), a, "", ada)
	if err != nil {
		f.Fatal(err)
	}
	return f.reaches(b, renga.BackupCompleted)
}

// find reads a backup; false when there is none.
func (f *fixture) find(b renga.Backup) (renga.Backup, bool) {
	f.Helper()
	all, err := f.db.BackupsOf(context.WithoutCancel(f.Context()), b.App)
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range all {
		if x.ID == b.ID {
			return x, true
		}
	}
	return renga.Backup{}, false
}

// reaches waits until a backup is in a state, and fails at once when it ends in
// another.
func (f *fixture) reaches(b renga.Backup, state renga.BackupState) renga.Backup {
	f.Helper()
	var now renga.Backup
	storetest.Poll(f.T, "a backup that is "+string(state), func() bool {
		now, _ = f.find(b)
		if now.Over() && now.State != state {
			f.Fatalf("the backup is %s: %s", now.State, now.Reason)
		}
		return now.State == state
	})
	return now
}

// files are all that are kept.
func (f *fixture) files() []string { return filesBelow(f.T, f.dir) }

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

// file is the one of a backup.
func (f *fixture) file(b renga.Backup) string {
	return filepath.Join(f.dir, string(b.AddOn), string(b.ID)+".backup")
}

// said tells whether the app's log has a line with that text.
func (f *fixture) said(text string) bool {
	return strings.Contains(strings.Join(f.logs.All(), "\n"), text)
}

// says waits until the app's log has a line with that text: it comes behind the record.
func (f *fixture) says(text string) {
	f.Helper()
	storetest.Poll(f.T, "the line: "+text, func() bool { return f.said(text) })
}

// fakeArchiver has the data of add-ons in memory. What it is told to do to dumps it
// does to all.
type fakeArchiver struct {
	mu       sync.Mutex
	data     map[renga.AddOnID]string
	restored int
	scratch  map[renga.AddOnID]string
	faulty   error         // of a try, which waits in its middle while dumps do
	fail     error         // after half of a dump
	refuse   error         // of each restore, before it reads
	held     chan struct{} // dumps wait in their middle until it is closed, or they are ended
	begun    chan struct{} // gets a value in the middle of each dump that is held
}

func newFakeArchiver() *fakeArchiver {
	return &fakeArchiver{data: map[renga.AddOnID]string{}, scratch: map[renga.AddOnID]string{}, begun: make(chan struct{}, 100)}
}

func (f *fakeArchiver) set(id renga.AddOnID, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data[id] = content
}

func (f *fakeArchiver) get(id renga.AddOnID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.data[id]
}

// hold has dumps wait from now on, until unhold.
func (f *fakeArchiver) hold() (unhold func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := make(chan struct{})
	f.held = held
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(held)
		f.held = nil
	}
}

func (f *fakeArchiver) CheckArchive(a renga.AddOn) error {
	if a.Service == "memcachedcloud" {
		return renga.Errorf(renga.Invalid, "Memcached has no backups.")
	}
	return nil
}

func (f *fakeArchiver) DataBytes(_ context.Context, id renga.AddOnID) (int64, error) {
	return int64(len(f.get(id))) * 2, nil
}

func (f *fakeArchiver) Dump(ctx context.Context, id renga.AddOnID, to io.Writer) error {
	f.mu.Lock()
	content, fail, held := f.data[id], f.fail, f.held
	f.mu.Unlock()
	half := len(content) / 2
	if _, err := io.WriteString(to, content[:half]); err != nil {
		return err
	}
	if held != nil {
		f.begun <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-held:
		}
	}
	if fail != nil {
		return fail
	}
	_, err := io.WriteString(to, content[half:])
	return err
}

func (f *fakeArchiver) Restore(_ context.Context, id renga.AddOnID, from io.Reader) error {
	f.mu.Lock()
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	var all bytes.Buffer
	if _, err := io.Copy(&all, from); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data[id] = all.String()
	f.restored++
	return nil
}

func (f *fakeArchiver) Try(ctx context.Context, _ renga.AddOn, scratch renga.AddOnID, from io.Reader) error {
	all, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.scratch[scratch] = string(all)
	held, faulty := f.held, f.faulty
	f.mu.Unlock()
	if held != nil {
		f.begun <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-held:
		}
	}
	return faulty
}

func (f *fakeArchiver) Discard(_ context.Context, _ renga.AddOn, scratch renga.AddOnID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.scratch, scratch)
	return nil
}

func (f *fakeArchiver) scratches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.scratch)
}
