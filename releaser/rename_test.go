package releaser_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"renga"
	"renga/releaser"
)

// renameFixture is a fixture whose apps can be renamed: the store's part and the
// registry's.
type renameFixture struct {
	*fixture
	steps []string
	left  []renga.Rename
	fail  map[string]error // by step
}

func newRenameFixture() (*renameFixture, *releaser.Releaser, *releaser.Renamer) {
	w, r := newFixture()
	m := &renameFixture{fixture: w, fail: map[string]error{}}
	return m, r, releaser.NewRenamer(m, m, r)
}

func (m *renameFixture) step(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps = append(m.steps, name)
	return m.fail[name]
}

func (m *renameFixture) RenameApp(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if err := m.step("name"); err != nil {
		return renga.App{}, err
	}
	if a, err := m.AppByName(ctx, name); err == nil && a.ID != id {
		return renga.App{}, renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.apps[id]
	a.Name = name
	m.apps[id] = a
	return a, nil
}

func (m *renameFixture) Hold(_ context.Context, _, _ string, do func() error) error { return do() }

func (m *renameFixture) BeginMove(_ context.Context, r renga.Rename) error {
	if err := m.step("begin"); err != nil {
		return err
	}
	m.left = append(m.left, r)
	return nil
}

func (m *renameFixture) over(step string, r renga.Rename) error {
	if err := m.step(step); err != nil {
		return err
	}
	m.left = slices.DeleteFunc(m.left, func(l renga.Rename) bool { return l == r })
	return nil
}

func (m *renameFixture) EndMove(_ context.Context, r renga.Rename) error  { return m.over("end", r) }
func (m *renameFixture) UndoMove(_ context.Context, r renga.Rename) error { return m.over("undo", r) }
func (m *renameFixture) Moves(context.Context) ([]renga.Rename, error) {
	return slices.Clone(m.left), nil
}
func (m *renameFixture) settled() bool { return len(m.left) == 0 }

func TestRename(t *testing.T) {
	w, r, renamer := newRenameFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	wakes := w.wakes
	app, err := renamer.Rename(t.Context(), id, "world")
	if err != nil || app.Name != "world" || !slices.Equal(w.steps, []string{"begin", "name", "end"}) ||
		w.wakes != wakes+1 {
		t.Fatalf("%+v, %v, steps %v, wakes %d", app, err, w.steps, w.wakes-wakes)
	}
	if rel, err := r.Change(t.Context(), id, setVar("A", "1")); err != nil || rel.AppName != "world" ||
		len(w.records[id]) != 3 {
		t.Errorf("the next release: %+v, %v", rel, err)
	}
	if app, err = renamer.Rename(t.Context(), id, "world"); err != nil || app.Name != "world" || len(w.steps) != 3 {
		t.Errorf("to its own name: %v, steps %v", err, w.steps)
	}
}

func TestRefusedRenamesLeaveAllAsItWas(t *testing.T) {
	for name, c := range map[string]struct {
		to, step string
		fail     error
		kind     renga.Kind
	}{
		"a name that is none": {to: "X", kind: renga.Invalid},
		"a taken name":        {to: "other", kind: renga.Conflict},
		"a name with releases under it": {
			to: "world", step: "begin", fail: renga.Errorf(renga.Conflict, "taken"), kind: renga.Conflict,
		},
		"a name that was taken meanwhile": {
			to: "world", step: "name", fail: renga.Errorf(renga.Conflict, "taken"), kind: renga.Conflict,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, renamer := newRenameFixture()
			id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
			w.mustPush(t, r, push("p2", "other", "sha256:aa"))
			w.fail[c.step] = c.fail
			if _, err := renamer.Rename(t.Context(), id, c.to); renga.KindOf(err) != c.kind {
				t.Errorf("got %v", err)
			}
			if rel, err := r.Change(t.Context(), id, setVar("A", "1")); err != nil || rel.AppName != "hello" || !w.settled() {
				t.Errorf("afterwards %+v, %v, left %v", rel, err, w.left)
			}
		})
	}
}

func TestUntilARenameIsEndedTheAppTakesNoChange(t *testing.T) {
	for _, step := range []string{"name", "end"} {
		t.Run(step, func(t *testing.T) {
			w, r, renamer := newRenameFixture()
			id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
			w.fail[step] = renga.Errorf(renga.Unavailable, "away")
			if _, err := renamer.Rename(t.Context(), id, "world"); renga.KindOf(err) != renga.Unavailable {
				t.Fatalf("got %v", err)
			}
			if _, err := r.Change(t.Context(), id, setVar("A", "1")); renga.KindOf(err) != renga.Unavailable {
				t.Errorf("a change: %v", err)
			}
			for _, name := range []string{"hello", "world"} {
				if _, err := r.CreateApp(t.Context(), name, "me"); renga.KindOf(err) != renga.Unavailable {
					t.Errorf("an app %s: %v", name, err)
				}
			}
			delete(w.fail, step)
			if err := renamer.Resume(t.Context()); err != nil || !w.settled() {
				t.Fatalf("%v, left %v", err, w.left)
			}
			if rel, err := r.Change(t.Context(), id, setVar("A", "1")); err != nil || rel.AppName != "world" {
				t.Errorf("afterwards %+v, %v", rel, err)
			}
		})
	}
}

func TestOfRenamesAndCreationsOfOneNameOneWins(t *testing.T) {
	w, r, renamer := newRenameFixture()
	var ids []renga.AppID
	for n := range 6 {
		ids = append(ids, w.mustPush(t, r, push(fmt.Sprint(n), fmt.Sprintf("app-%d", n), "sha256:aa")))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	kinds := map[renga.Kind]int{}
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		kinds[renga.KindOf(err)]++
	}
	for _, id := range ids {
		wg.Go(func() { _, err := renamer.Rename(t.Context(), id, "wanted"); note(err) })
		wg.Go(func() { _, err := r.CreateApp(t.Context(), "wanted", "me"); note(err) })
	}
	wg.Wait()
	if kinds[""] != 1 || kinds[renga.Conflict] != 11 {
		t.Errorf("outcomes %v", kinds)
	}
}

func TestAPushToAnAppThatSomebodyElseJustMadeIsRefused(t *testing.T) {
	w, r := newFixture()
	id := w.mustPush(t, r, push("p1", "hello", "sha256:aa"))
	foreign := push("p2", "hello", "sha256:bb")
	foreign.By = "somebody else"
	if err := r.Push(t.Context(), foreign); renga.KindOf(err) != renga.Forbidden || len(w.records[id]) != 2 {
		t.Errorf("%v, %d releases", err, len(w.records[id]))
	}
	foreign.AppID = id // the registry has checked that they may
	if err := r.Push(t.Context(), foreign); err != nil || len(w.records[id]) != 3 {
		t.Errorf("%v, %d releases", err, len(w.records[id]))
	}
}
