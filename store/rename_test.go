package store_test

import (
	"sync"
	"testing"

	"renga"
	"renga/store"
)

// createdApp is an app with that name in the store.
func createdApp(t testing.TB, s *store.Store, name string) renga.App {
	t.Helper()
	a := newApp(name)
	check(t, s.CreateApp(t.Context(), a, firstRelease(a)))
	return a
}

// wantNames wants a name and a repository's name to lead to apps, "" to none.
func wantNames(t testing.TB, s *store.Store, name string, app, repository renga.AppID) {
	t.Helper()
	got, err := s.AppByName(t.Context(), name)
	if (app == "") != (renga.KindOf(err) == renga.NotFound) || got.ID != app || app != "" && got.Name != name {
		t.Errorf("name %s leads to %+v, %v; want %q", name, got, err, app)
	}
	got, err = s.AppByRepository(t.Context(), name)
	if (repository == "") != (renga.KindOf(err) == renga.NotFound) || got.ID != repository {
		t.Errorf("repository %s leads to %+v, %v; want %q", name, got, err, repository)
	}
}

func TestRenamedAppLeavesItsOldNameToTheRegistry(t *testing.T) {
	s, p := newStore(t)
	a := createdApp(t, s, "hello")
	for range 2 { // doing it again is no error
		got, err := s.RenameApp(t.Context(), a.ID, "world")
		if err != nil || got.Name != "world" || got.ID != a.ID || !got.UpdatedAt.After(a.UpdatedAt) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	wantNames(t, s, "world", a.ID, a.ID)
	wantNames(t, s, "hello", "", a.ID)
	d, err := s.Desired(t.Context(), a.ID)
	if err != nil || d.App.Name != "world" {
		t.Errorf("desired %+v, %v", d.App, err)
	}

	b := createdApp(t, s, "hello") // somebody takes the old name
	wantNames(t, s, "hello", b.ID, b.ID)
	check(t, s.RemoveApp(t.Context(), b.ID))
	wantNames(t, s, "hello", "", "")

	_, err = s.RenameApp(t.Context(), a.ID, "hello") // and back
	check(t, err)
	wantNames(t, s, "hello", a.ID, a.ID)
	wantNames(t, s, "world", "", a.ID)
	check(t, s.RemoveApp(t.Context(), a.ID))
	wantNames(t, s, "world", "", "")
	keys, err := p.raw(t).Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Errorf("removed apps left %v, %v", keys, err)
	}
}

func TestRenameIsRefusedWhereItMustBe(t *testing.T) {
	s, _ := newStore(t)
	a, b := createdApp(t, s, "hello"), createdApp(t, s, "other")
	_, err := s.RenameApp(t.Context(), a.ID, "other")
	wantKind(t, err, renga.Conflict)
	_, err = s.RenameApp(t.Context(), "no-such-id", "fresh")
	wantKind(t, err, renga.NotFound)
	_, err = s.UpdateApp(t.Context(), b.ID, func(a *renga.App) error { a.Deleting = true; return nil })
	check(t, err)
	_, err = s.RenameApp(t.Context(), b.ID, "fresh")
	wantKind(t, err, renga.NotFound)
	wantNames(t, s, "hello", a.ID, a.ID)
	wantNames(t, s, "other", b.ID, b.ID)
	wantNames(t, s, "fresh", "", "")
}

func TestAClaimThatNoRenameFollowedIsWorthNothing(t *testing.T) {
	s, p := newStore(t)
	a := createdApp(t, s, "hello")
	check(t, p.raw(t).Set(t.Context(), "renga:{platform}:name:fresh", string(a.ID), 0).Err())
	wantNames(t, s, "fresh", "", "")
	b := createdApp(t, s, "fresh")
	wantNames(t, s, "fresh", b.ID, b.ID)
	wantNames(t, s, "hello", a.ID, a.ID)
	if _, err := s.Desired(t.Context(), a.ID); err != nil {
		t.Errorf("the app whose claim it was is damaged: %v", err)
	}
}

func TestARenameThatWasCutShortIsEndedByTheSameAgain(t *testing.T) {
	s, p := newStore(t)
	a := createdApp(t, s, "hello")
	record, err := p.raw(t).Get(t.Context(), "renga:{"+string(a.ID)+"}:app").Result()
	check(t, err)
	_, err = s.RenameApp(t.Context(), a.ID, "world")
	check(t, err)
	check(t, p.raw(t).Set(t.Context(), "renga:{"+string(a.ID)+"}:app", record, 0).Err()) // as after step 2
	got, err := s.RenameApp(t.Context(), a.ID, "world")
	if err != nil || got.Name != "world" {
		t.Errorf("%+v, %v", got, err)
	}
	wantNames(t, s, "world", a.ID, a.ID)
}

func TestFormerNamesComeBackWithARestore(t *testing.T) {
	s, _ := newStore(t)
	a, b := newApp("world"), newApp("other")
	wantKind(t, s.RestoreAlias(t.Context(), platform, a.ID, "hello"), renga.Internal) // not begun
	check(t, s.BeginRestore(t.Context(), platform))
	for _, app := range []renga.App{a, b} {
		check(t, s.Restore(t.Context(), platform, app, []renga.ReleaseRecord{firstRelease(app)}))
		check(t, s.RestoreAlias(t.Context(), platform, app.ID, "hello")) // the first keeps it
	}
	check(t, s.RestoreAlias(t.Context(), platform, a.ID, "other"))
	check(t, s.EndRestore(t.Context(), platform))
	wantNames(t, s, "hello", "", a.ID)
	wantNames(t, s, "other", b.ID, b.ID)
}

func TestOfManyWhoWantANameOneGetsIt(t *testing.T) {
	s, _ := newStore(t)
	const n = 8
	var apps [n]renga.App
	for i := range apps {
		apps[i] = createdApp(t, s, "app-"+string(rune('a'+i)))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	kinds := map[renga.Kind]int{}
	for i := range apps {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = s.RenameApp(t.Context(), apps[i].ID, "wanted")
			} else {
				a := newApp("wanted")
				err = s.CreateApp(t.Context(), a, firstRelease(a))
			}
			mu.Lock()
			defer mu.Unlock()
			kinds[renga.KindOf(err)]++
		})
	}
	wg.Wait()
	if kinds[""] != 1 || kinds[renga.Conflict] != n-1 {
		t.Errorf("outcomes %v", kinds)
	}
	all, err := s.Apps(t.Context())
	check(t, err)
	for _, a := range all {
		wantNames(t, s, a.Name, a.ID, a.ID)
	}
}
