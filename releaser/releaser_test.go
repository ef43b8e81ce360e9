package releaser_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/releaser"
)

// fixture stands for the store and the ledger: what they promise, in memory.
type fixture struct {
	mu       sync.Mutex
	apps     map[renga.AppID]renga.App
	records  map[renga.AppID][]renga.ReleaseRecord
	pushes   map[string]int
	opened   map[string]renga.Release
	wakes    int
	did      []string // the lines in apps' logs
	commit   error    // what the next commits answer
	missing  string
	conflict int // how many commits find that the head moved
	putting  func()
	links    []string
	owners   []string // what the ledger was told
}

func newFixture() (*fixture, *releaser.Releaser) {
	w := &fixture{
		apps: map[renga.AppID]renga.App{}, records: map[renga.AppID][]renga.ReleaseRecord{}, pushes: map[string]int{},
		opened: map[string]renga.Release{},
	}
	ids := 0
	return w, releaser.New(releaser.Parts{
		Apps: w, Store: w, Ledger: w, Owners: releaser.NewOwners(w, w), Runner: w, Activity: w, Now: time.Now,
		Log:   slog.New(slog.DiscardHandler),
		NewID: func() string { ids++; return fmt.Sprintf("id-%d", ids) },
	})
}

func (w *fixture) Note(_ context.Context, _ renga.AppID, by renga.AccountID, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, fmt.Sprintf("%s by %s", what, by))
}

func (w *fixture) Reconcile(renga.AppID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakes++
}

func (w *fixture) App(_ context.Context, id renga.AppID) (renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.apps[id]; ok {
		return a, nil
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no app %s", id)
}

func (w *fixture) AppByName(_ context.Context, name string) (renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.apps {
		if a.Name == name {
			return a, nil
		}
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no app %s", name)
}

func (w *fixture) CreateApp(_ context.Context, a renga.App, v1 renga.ReleaseRecord) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.apps[a.ID], w.records[a.ID] = a, []renga.ReleaseRecord{v1}
	return nil
}

func (w *fixture) Head(ctx context.Context, id renga.AppID) (renga.ReleaseRecord, error) {
	return w.Release(ctx, id, len(w.records[id]))
}

func (w *fixture) Release(_ context.Context, id renga.AppID, v int) (renga.ReleaseRecord, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v < 1 || v > len(w.records[id]) {
		return renga.ReleaseRecord{}, renga.Errorf(renga.NotFound, "no release %d", v)
	}
	r := w.records[id][v-1]
	r.Current = v == len(w.records[id])
	return r, nil
}

func (w *fixture) Commit(_ context.Context, r renga.ReleaseRecord, pushID string, _ renga.Formation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conflict > 0 {
		w.conflict--
		return renga.Errorf(renga.Conflict, "the head moved")
	}
	if w.commit != nil {
		return w.commit
	}
	if r.Version != len(w.records[r.App])+1 {
		return renga.Errorf(renga.Conflict, "v%d does not follow", r.Version)
	}
	w.records[r.App] = append(w.records[r.App], r)
	if pushID != "" {
		w.pushes[pushID] = r.Version
	}
	return nil
}

func (w *fixture) ReleaseByPush(_ context.Context, _ renga.AppID, pushID string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v, ok := w.pushes[pushID]; ok {
		return v, nil
	}
	return 0, renga.Errorf(renga.NotFound, "no such push")
}

func (w *fixture) Put(_ context.Context, r renga.Release) (string, error) {
	if w.putting != nil {
		w.putting()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	digest := fmt.Sprintf("%s@%d#%d", r.AppName, r.Version, len(w.opened))
	r.Digest, r.Inputs = digest, r.Inputs.Clone()
	w.opened[digest] = r
	return digest, nil
}

func (w *fixture) Get(_ context.Context, _ renga.App, digest string) (renga.Release, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.opened[digest]
	if !ok {
		return r, errors.New("no such digest")
	}
	r.Inputs = r.Inputs.Clone()
	return r, nil
}

func (w *fixture) Present(_ context.Context, _ renga.App, images map[renga.ProcessType]renga.Image) error {
	for t, img := range images {
		if img.Digest == w.missing {
			return renga.Errorf(renga.NotFound, "The image of %s is gone.", t)
		}
	}
	return nil
}

func (w *fixture) Live(_ context.Context, id renga.AppID) (renga.ReleaseRecord, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	live := w.records[id][0]
	for _, r := range w.records[id] {
		if r.Outcome.Status == renga.Succeeded {
			live = r
		}
	}
	return live, nil
}

func (w *fixture) Link(_ context.Context, from, to string, images map[renga.ProcessType]renga.Image) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links = append(w.links, fmt.Sprintf("%s to %s: %d", from, to, len(images)))
	return nil
}

// push is an image push to app/web.
func push(id, app, digest string) renga.Push {
	return renga.Push{ID: id, App: app, By: "me", At: time.Now(), Images: map[renga.ProcessType]renga.Image{
		"web": {Repository: app + "/web", Digest: digest, Pushed: digest, Command: []string{"serve"}},
	}}
}

func (w *fixture) mustPush(t *testing.T, r *releaser.Releaser, p renga.Push) renga.AppID {
	t.Helper()
	if err := r.Push(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	app, err := w.AppByName(t.Context(), p.App)
	if err != nil {
		t.Fatal(err)
	}
	return app.ID
}

func setVar(name, value string) renga.Change {
	return renga.Change{Description: "Set " + name + " config vars", By: "me", Edit: func(in *renga.Inputs) error {
		in.Vars[name] = value
		return nil
	}}
}

func TestPushToAnUnknownAppMakesItAndItsSecondRelease(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	rs := w.records[id]
	if len(rs) != 2 || rs[0].Outcome.Status != renga.Succeeded || rs[1].Outcome.Status != renga.Pending {
		t.Fatalf("records are %+v", rs)
	}
	if rs[1].Description != "Deploy aa" || w.wakes == 0 {
		t.Errorf("description %q, wakes %d", rs[1].Description, w.wakes)
	}
	if got := w.opened[rs[1].Digest]; got.Previous != rs[0].Digest {
		t.Errorf("v2 follows %q, want %q", got.Previous, rs[0].Digest)
	}
	want := "Initial release by me, Release v1 created by me, Deploy aa by me, Release v2 created by me"
	if got := strings.Join(w.did, ", "); got != want {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

func TestAReplayedPushMakesNoRelease(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))
	w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	if n := len(w.records[id]); n != 3 {
		t.Errorf("%d releases, want 3: the first push must not be released twice", n)
	}
}

func TestPushingTheSameImageAgainMakesNoRelease(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.mustPush(t, r, push("p2", "hello", "sha256:aa"))
	if n := len(w.records[id]); n != 2 {
		t.Errorf("%d releases, want 2", n)
	}
}

func TestProcessTypesNoLongerDeclaredGo(t *testing.T) {
	w, r := newFixture()
	p := push("p1", "hello", "sha256:aa")
	p.Images["clock"] = renga.Image{Repository: "hello/web", Digest: "sha256:aa", Command: []string{"clock"}}
	id := w.mustPush(t, r, p)
	worker := renga.Push{
		ID: "p2", App: "hello", By: "me", Images: map[renga.ProcessType]renga.Image{"worker": {
			Repository: "hello/worker", Digest: "sha256:cc",
		}},
	}
	w.mustPush(t, r, worker)
	w.mustPush(t, r, push("p3", "hello", "sha256:bb"))
	images := w.records[id][3].Images
	if _, ok := images["clock"]; ok || len(images) != 2 || images["worker"].Digest != "sha256:cc" {
		t.Errorf("images are %+v, want web and worker", images)
	}
}

func TestARefusedChangeLeavesNoTrace(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	before := len(w.opened)
	_, err := r.Change(t.Context(), id, renga.Change{Edit: func(*renga.Inputs) error {
		return renga.Errorf(renga.Invalid,
			"no")
	}})
	if renga.KindOf(err) != renga.Invalid || len(w.opened) != before || len(w.records[id]) != 2 {
		t.Errorf("err %v, %d in the ledger, %d releases", err, len(w.opened), len(w.records[id]))
	}
}

func TestANumberIsUsedAgainWhenItsCommitWasLost(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.commit = renga.Errorf(renga.Unavailable, "Redis is away.")
	if _, err := r.Change(t.Context(), id, setVar("A", "1")); renga.KindOf(err) != renga.Unavailable {
		t.Fatalf("err %v, want unavailable", err)
	}
	w.commit = nil
	rel, err := r.Change(t.Context(), id, setVar("A", "2"))
	if err != nil || rel.Version != 3 || rel.Inputs.Vars["A"] != "2" {
		t.Errorf("v%d, err %v", rel.Version, err)
	}
}

func TestAChangeStartsOverWhenTheHeadMoved(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.conflict = 2
	if rel, err := r.Change(t.Context(), id, setVar("A", "1")); err != nil || rel.Version != 3 {
		t.Errorf("v%d, err %v", rel.Version, err)
	}
}

func TestConcurrentChangesAreAllKept(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := r.Change(t.Context(), id, setVar(fmt.Sprintf("V%d", i), "x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	newest, err := r.Newest(t.Context(), id)
	if err != nil || newest.Version != 102 || len(newest.Inputs.Vars) != 100 {
		t.Errorf("v%d with %d vars, err %v", newest.Version, len(newest.Inputs.Vars), err)
	}
}

func TestTwoCreationsOfOneNameAndOneWins(t *testing.T) {
	_, r := newFixture()
	var wg sync.WaitGroup
	var mu sync.Mutex
	kinds := map[renga.Kind]int{}
	for range 20 {
		wg.Go(func() {
			_, err := r.CreateApp(t.Context(), "hello", "me")
			mu.Lock()
			defer mu.Unlock()
			kinds[renga.KindOf(err)]++
		})
	}
	wg.Wait()
	if kinds[""] != 1 || kinds[renga.Conflict] != 19 {
		t.Errorf("outcomes %v", kinds)
	}
}

func TestANewAppIsLookedAtAtOnce(t *testing.T) {
	w, r := newFixture()
	if _, err := r.CreateApp(t.Context(), "hello", "me"); err != nil || w.wakes != 1 {
		t.Errorf("%d wakes, err %v", w.wakes, err)
	}
}

func TestInventedNamesAreValid(t *testing.T) {
	_, r := newFixture()
	for range 50 {
		if app, err := r.CreateApp(t.Context(), "", "me"); err != nil {
			t.Errorf("%q: %v", app.Name, err)
		}
	}
}

func TestRollback(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa")) // v2
	change(t, r, id, setVar("A", "old"))                     // v3
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))       // v4
	change(t, r, id, setVar("A", "new"))                     // v5
	for i := range w.records[id] {
		w.records[id][i].Outcome.Status = renga.Succeeded
	}
	for _, c := range []struct {
		part          renga.RollbackPart
		image, value  string
		wantsFragment string
	}{
		{renga.RollbackAll, "sha256:aa", "old", "Rollback to v3"},
		{renga.RollbackCode, "sha256:aa", "new", "code only"},
		{renga.RollbackConfig, "sha256:bb", "old", "config only"},
	} {
		change(t, r, id, renga.Change{Edit: func(in *renga.Inputs) error {
			in.Vars["A"] = "new"
			in.Images["web"] = push("", "hello", "sha256:bb").Images["web"]
			return nil
		}})
		rec, err := r.Rollback(t.Context(), id, 3, c.part, renga.Canary{}, "me")
		if err != nil {
			t.Fatal(err)
		}
		got := w.opened[rec.Digest].Inputs
		if got.Images["web"].Digest != c.image || got.Vars["A"] != c.value ||
			!strings.Contains(rec.Description, c.wantsFragment) {
			t.Errorf("%s: image %s, A is as wanted: %v, %q", c.part, got.Images["web"].Digest, got.Vars["A"] == c.value,
				rec.Description)
		}
	}
}

func change(t *testing.T, r *releaser.Releaser, id renga.AppID, c renga.Change) {
	t.Helper()
	if _, err := r.Change(t.Context(), id, c); err != nil {
		t.Fatal(err)
	}
}

func TestRollbackKeepsTheCredentialsOfNow(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	w.records[id][1].Outcome.Status = renga.Succeeded
	change(t, r, id, renga.Change{Edit: func(in *renga.Inputs) error {
		in.Credentials["db"] = renga.Credentials{Vars: renga.Vars{"DATABASE_URL": "new password"}}
		return nil
	}})
	rec, err := r.Rollback(t.Context(), id, 2, renga.RollbackAll, renga.Canary{}, "me")
	if err != nil {
		t.Fatal(err)
	}
	if w.opened[rec.Digest].Inputs.Credentials["db"].Vars["DATABASE_URL"] != "new password" {
		t.Error("the credentials of now were lost")
	}
}

func TestTheReleaseThatServesIsEligibleAndIsMadeAgain(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa")) // v2
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))       // v3
	for i := range w.records[id] {
		w.records[id][i].Outcome.Status = renga.Succeeded
	}
	var eligible []int
	for version := 3; version > 0; version-- {
		record, err := w.Release(t.Context(), id, version)
		if err != nil {
			t.Fatal(err)
		}
		if r.Eligible(t.Context(), w.apps[id], record) == nil {
			eligible = append(eligible, version)
		}
	}
	if !slices.Equal(eligible, []int{3, 2}) { // the CLI goes back to the second
		t.Errorf("eligible are %d, want v3, which serves, and v2", eligible)
	}
	rec, err := r.Rollback(t.Context(), id, 3, renga.RollbackAll, renga.Canary{}, "me")
	if err != nil {
		t.Fatal(err)
	}
	if rec.Version != 4 || rec.Description != "Rollback to v3" || rec.Images["web"].Digest != "sha256:bb" {
		t.Errorf("v%d %q runs %s, want v4 as v3 was", rec.Version, rec.Description, rec.Images["web"].Digest)
	}
}

func TestRollbacksThatAreRefused(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa")) // v2
	w.mustPush(t, r, push("p2", "hello", "sha256:bb"))       // v3
	w.mustPush(t, r, push("p3", "hello", "sha256:cc"))       // v4
	w.mustPush(t, r, push("p4", "hello", "sha256:dd"))       // v5
	w.records[id][1].Outcome = renga.Outcome{Status: renga.Succeeded}
	w.records[id][2].Outcome = renga.Outcome{Status: renga.Failed, Reason: "web.1 exited with status 3"}
	w.missing = "sha256:aa"
	for version, want := range map[int]string{
		1: "no image", 2: "gone", 3: "exited with status 3", 4: "before its dynos are up", 5: "before its dynos are up",
		6: "no release v6", 0: "no release v0",
	} {
		before := len(w.records[id])
		_, err := r.Rollback(t.Context(), id, version, renga.RollbackAll, renga.Canary{}, "me")
		if renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("v%d: %v, want %q", version, err, want)
		}
		if len(w.records[id]) != before {
			t.Errorf("v%d made a release", version)
		}
	}
}

func TestAnAppThatIsGoingTakesNoChange(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	a := w.apps[id]
	a.Deleting = true
	w.apps[id] = a
	if err := r.Push(t.Context(), push("p2", "hello", "sha256:bb")); renga.KindOf(err) != renga.NotFound {
		t.Errorf("push: %v", err)
	}
	if _, err := r.Rollback(t.Context(), id, 1, renga.RollbackAll, renga.Canary{},
		"me"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("rollback: %v", err)
	}
}
