package imports_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/imports"
	"renga/store"
	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const (
	first  = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	second = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// fixture is an app in a real store, and another registry that is a map.
type fixture struct {
	*testing.T
	*store.Store
	app renga.App

	mu     sync.Mutex
	names  string            // the digest that every tag names now
	copies []renga.ImageCopy // as they began
	fail   []error           // what the next copies answer
	block  chan struct{}     // copies wait for it, if there is one
	made   map[string]int    // releases, by push
	end    func()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, Store: db, names: first, made: map[string]int{}}
	f.app = renga.App{ID: renga.AppID(uuid.NewString()), Name: "hello", Owner: "ada"}
	if err := db.CreateApp(t.Context(), f.app, renga.ReleaseRecord{App: f.app.ID, Version: 1, Digest: "sha256:1"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) Account(_ context.Context, id renga.AccountID) (renga.Account, error) {
	if id == "gone" {
		return renga.Account{}, renga.Errorf(renga.NotFound, "no such account")
	}
	return renga.Account{ID: id}, nil
}

func (f *fixture) ReleaseByPush(_ context.Context, _ renga.AppID, push string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.made[push]; n > 0 {
		return n, nil
	}
	return 0, renga.Errorf(renga.NotFound, "none")
}

func (f *fixture) Resolve(context.Context, renga.ImageRef, renga.SourceLogin) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.names, nil
}

func (f *fixture) Copy(ctx context.Context, order renga.ImageCopy) error {
	f.mu.Lock()
	f.copies = append(f.copies, order)
	var err error
	if len(f.fail) > 0 {
		err, f.fail = f.fail[0], f.fail[1:]
	}
	block := f.block
	f.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err == nil {
		err = order.Progress(renga.ImportCopied, 5, 5)
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[order.Push] = len(f.made) + 2
	return nil
}

// run starts a room, after the one before has ended, as a new process does.
func (f *fixture) run() *imports.Imports {
	f.stop()
	room := imports.New(imports.Options{
		Own:   func(host string) bool { return host == "registry.renga.test" },
		Pause: func(int) time.Duration { return time.Millisecond },
		Log:   slog.New(slog.DiscardHandler), Now: time.Now,
	}, f, f, f, f, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- room.Run(ctx) }()
	f.end = func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
		f.end = nil
	}
	f.Cleanup(f.stop)
	return room
}

func (f *fixture) stop() {
	if f.end != nil {
		f.end()
	}
}

func (f *fixture) order(room *imports.Imports, image string) renga.Import {
	f.Helper()
	i, err := room.Order(f.Context(), f.app.ID, renga.Web, image, "ada")
	if err != nil {
		f.Fatal(err)
	}
	return i
}

func (f *fixture) find(id string) renga.Import {
	f.Helper()
	all, err := f.Imports(f.Context(), f.app.ID)
	if err != nil {
		f.Fatal(err)
	}
	for _, i := range all {
		if i.ID == id {
			return i
		}
	}
	f.Fatalf("no import %s", id)
	return renga.Import{}
}

func (f *fixture) await(id string, state renga.ImportState) renga.Import {
	f.Helper()
	storetest.Poll(f, "import "+string(state), func() bool { return f.find(id).State == state })
	return f.find(id)
}

func TestATagIsResolvedOnceAndReleased(t *testing.T) {
	f := newFixture(t)
	room := f.run()
	i := f.await(f.order(room, "ghcr.io/acme/shop:v1").ID, renga.ImportReleased)
	if i.Digest != first || i.Version != 2 || i.Copied != 5 || i.Total != 5 {
		t.Errorf("%+v", i)
	}
	if got := f.copies[0]; got.From.Digest != first || got.Push != i.ID || got.AppName != "hello" {
		t.Errorf("copied %+v", got)
	}
}

func TestWhatPassesIsTriedAgainAndWhatDoesNotIsRefused(t *testing.T) {
	f := newFixture(t)
	away := renga.Errorf(renga.Unavailable, "The registry is away.")
	f.fail = []error{away, away}
	room := f.run()
	if i := f.await(f.order(room, "ghcr.io/acme/shop:v1").ID, renga.ImportReleased); i.Attempts != 3 || i.Reason != "" {
		t.Errorf("%+v", i)
	}
	f.mu.Lock()
	f.fail = []error{renga.Errorf(renga.Invalid, "This image is for linux/arm64.")}
	f.mu.Unlock()
	if i := f.await(f.order(room, "ghcr.io/acme/shop:v2").ID, renga.ImportRefused); !strings.Contains(i.Reason, "arm64") {
		t.Errorf("%+v", i)
	}
	f.mu.Lock()
	for range 8 {
		f.fail = append(f.fail, away)
	}
	f.mu.Unlock()
	if i := f.await(f.order(room, "ghcr.io/acme/shop:v3").ID, renga.ImportFailed); i.Attempts != 8 || i.Reason != away.Message {
		t.Errorf("%+v", i)
	}
}

func TestACopyThatWasKilledGoesOnWithItsDigest(t *testing.T) {
	f := newFixture(t)
	f.block = make(chan struct{})
	i := f.order(f.run(), "ghcr.io/acme/shop:v1")
	f.await(i.ID, renga.ImportCopying)
	storetest.Poll(t, "the copy", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.copies) == 1 })
	f.stop() // the record stays as a killed process leaves it
	f.mu.Lock()
	f.names, f.block = second, nil
	f.mu.Unlock()
	f.run()
	if done := f.await(i.ID, renga.ImportReleased); done.Digest != first {
		t.Errorf("%+v", done)
	}
	if f.copies[1].From.Digest != first || f.copies[1].Push != i.ID {
		t.Errorf("the second copy is %+v", f.copies[1])
	}
}

func TestWhatWasReleasedBeforeTheKillIsNotReleasedAgain(t *testing.T) {
	f := newFixture(t)
	i := renga.Import{
		ID: uuid.NewString(), App: f.app.ID, Process: renga.Web, Image: "ghcr.io/acme/shop:v1", Digest: first, By: "ada",
		State: renga.ImportCopied,
	}
	if _, err := f.AddImport(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	f.made[i.ID] = 7
	f.run()
	if done := f.await(i.ID, renga.ImportReleased); done.Version != 7 || len(f.copies) != 0 {
		t.Errorf("%+v, %d copies", done, len(f.copies))
	}
}

func TestImportsOfOneProcessTypeKeepTheirOrder(t *testing.T) {
	f := newFixture(t)
	f.block = make(chan struct{})
	room := f.run()
	a := f.order(room, "ghcr.io/acme/shop:v1")
	f.await(a.ID, renga.ImportCopying)
	b := f.order(room, "ghcr.io/acme/shop:v1")
	other, err := room.Order(t.Context(), f.app.ID, "worker", "ghcr.io/acme/worker:v1", "ada")
	if err != nil {
		t.Fatal(err)
	}
	f.await(other.ID, renga.ImportCopying) // which does not wait for web
	if got := f.find(b.ID).State; got != renga.ImportMatched {
		t.Errorf("the second is %s", got)
	}
	f.mu.Lock()
	f.names = second
	f.mu.Unlock()
	close(f.block)
	f.await(a.ID, renga.ImportReleased)
	if got := f.await(b.ID, renga.ImportReleased); got.Digest != second {
		t.Errorf("%+v", got)
	}
}

func TestWhoMayNotDeployImportsNothing(t *testing.T) {
	f := newFixture(t)
	room := f.run()
	for _, by := range []renga.AccountID{"bob", "gone"} {
		i, err := room.Order(t.Context(), f.app.ID, renga.Web, "ghcr.io/acme/shop:v1", by)
		if err != nil {
			t.Fatal(err)
		}
		if done := f.await(i.ID, renga.ImportRefused); done.Reason == "" || len(f.copies) != 0 {
			t.Errorf("%+v, %d copies", done, len(f.copies))
		}
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	f := newFixture(t)
	room := f.run()
	for _, image := range []string{"", "https://ghcr.io/a", "registry.renga.test/other/web", "a b"} {
		if _, err := room.Order(t.Context(), f.app.ID, renga.Web, image, "ada"); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%q: %v", image, err)
		}
	}
	if _, err := room.Replay(t.Context(), f.app.ID, uuid.NewString(), "ada"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("replay of none: %v", err)
	}
}

func TestHistoryAndQueueAreBounded(t *testing.T) {
	f := newFixture(t)
	add := func(state renga.ImportState) error {
		_, err := f.AddImport(t.Context(), renga.Import{
			ID: uuid.NewString(), App: f.app.ID, Process: renga.Web, State: state, CreatedAt: time.Now(),
		})
		return err
	}
	for range renga.MaxImports + 5 {
		if err := add(renga.ImportRefused); err != nil {
			t.Fatal(err)
		}
	}
	for n := range renga.MaxOpenImports + 1 {
		if err := add(renga.ImportMatched); (err == nil) != (n < renga.MaxOpenImports) {
			t.Errorf("open import %d: %v", n, err)
		}
	}
	all, err := f.Imports(t.Context(), f.app.ID)
	if err != nil || len(all) > renga.MaxImports+renga.MaxOpenImports {
		t.Errorf("%d imports, %v", len(all), err)
	}
}
