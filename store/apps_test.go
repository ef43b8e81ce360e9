package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"renga"
)

func TestCreatedAppIsFoundWithItsFirstRelease(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")

	byID, err := s.App(t.Context(), a.ID)
	check(t, err)
	byName, err := s.AppByName(t.Context(), "haiku")
	check(t, err)
	if !sameApp(byID, a) || !sameApp(byName, a) {
		t.Fatalf("got %+v and %+v, want %+v", byID, byName, a)
	}
	h, err := s.Head(t.Context(), a.ID)
	check(t, err)
	if h.Version != 1 || !h.Current || !h.Live || h.Outcome.Status != renga.Succeeded || h.Digest != digestOf(1) {
		t.Fatalf("first release is %+v", h)
	}
	ids, err := s.AppIDs(t.Context())
	check(t, err)
	if !slices.Equal(ids, []renga.AppID{a.ID}) {
		t.Fatalf("ids are %v", ids)
	}
}

func TestCreateAppRefusesTakenNameAndLeavesNothing(t *testing.T) {
	s, p := newStore(t)
	createApp(t, s, "haiku")
	b := newApp("haiku")
	err := s.CreateApp(t.Context(), b, firstRelease(b))
	wantKind(t, err, renga.Conflict)
	if got := renga.MessageOf(err, ""); got != "Name haiku is already taken." {
		t.Fatalf("message %q", got)
	}
	keys, err := p.raw(t).Keys(t.Context(), "*"+string(b.ID)+"*").Result()
	check(t, err)
	if len(keys) != 0 {
		t.Fatalf("left %v", keys)
	}
}

func TestCreateAppAgainWithSameIDIsNoError(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	check(t, s.CreateApp(t.Context(), a, firstRelease(a)))
	h, err := s.Head(t.Context(), a.ID)
	check(t, err)
	if h.Version != 2 {
		t.Fatalf("head is v%d, want v2 untouched", h.Version)
	}
}

func TestFiftyCreatorsOfOneNameOneWins(t *testing.T) {
	s, p := newStore(t)
	second := open(t, p.url()) // another process, as far as Redis can tell
	var wins atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 50 {
		db := s
		if i%2 == 1 {
			db = second
		}
		wg.Go(func() {
			a := newApp("haiku")
			switch err := db.CreateApp(t.Context(), a, firstRelease(a)); {
			case err == nil:
				wins.Add(1)
				winner.Store(a.ID)
			case renga.KindOf(err) != renga.Conflict:
				t.Errorf("creator %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d winners", wins.Load())
	}
	a, err := s.AppByName(t.Context(), "haiku")
	check(t, err)
	if a.ID != winner.Load() {
		t.Fatalf("name belongs to %s, winner is %s", a.ID, winner.Load())
	}
	keys, err := p.raw(t).Keys(t.Context(), "renga:{*}:app").Result()
	check(t, err)
	if len(keys) != 1 {
		t.Fatalf("apps written: %v", keys)
	}
}

func TestFiftyCreatorsOfFiftyNamesAllWin(t *testing.T) {
	s, _ := newStore(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			a := newApp(fmt.Sprintf("app-%d", i))
			if err := s.CreateApp(t.Context(), a, firstRelease(a)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	apps, err := s.Apps(t.Context())
	check(t, err)
	if len(apps) != 50 || !slices.IsSortedFunc(apps, func(a, b renga.App) int { return len(a.Name) - len(b.Name) }) &&
		apps[0].Name != "app-0" {
		t.Fatalf("%d apps, first %v", len(apps), apps[0].Name)
	}
}

func TestSomeAppsAreInTheOrderAskedForWithoutThoseThatAreGone(t *testing.T) {
	s, _ := newStore(t)
	first, second, gone := createApp(t, s, "first"), createApp(t, s, "second"), createApp(t, s, "gone")
	check(t, s.RemoveApp(t.Context(), gone.ID))
	apps, err := s.SomeApps(t.Context(), []renga.AppID{second.ID, gone.ID, first.ID})
	check(t, err)
	if len(apps) != 2 || !sameApp(apps[0], second) || !sameApp(apps[1], first) {
		t.Fatalf("got %+v", apps)
	}
}

func TestClaimLeftByCrashIsTakenOver(t *testing.T) {
	for _, test := range []struct {
		name    string
		written bool // the crash came after the app's keys
	}{{"before the app", false}, {"after the app", true}} {
		t.Run(test.name, func(t *testing.T) {
			s, p := newStore(t)
			dead := newApp("haiku")
			raw := p.raw(t)
			if test.written { // all but the listing
				check(t, s.CreateApp(t.Context(), dead, firstRelease(dead)))
				check(t, raw.HDel(t.Context(), "renga:{platform}:apps", string(dead.ID)).Err())
			} else {
				check(t, raw.Set(t.Context(), "renga:{platform}:name:haiku", string(dead.ID), 0).Err())
			}
			_, err := s.AppByName(t.Context(), "haiku")
			wantKind(t, err, renga.NotFound)

			a := createApp(t, s, "haiku")
			got, err := s.AppByName(t.Context(), "haiku")
			check(t, err)
			if got.ID != a.ID {
				t.Fatalf("name belongs to %s", got.ID)
			}
			left, err := raw.Keys(t.Context(), "*"+string(dead.ID)+"*").Result()
			check(t, err)
			if len(left) != 0 {
				t.Fatalf("left of the dead: %v", left)
			}
		})
	}
}

func TestUpdateAppLosesNoParallelEdit(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error { a.Owner += "x"; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.App(t.Context(), a.ID)
	check(t, err)
	if len(got.Owner) != len(a.Owner)+40 || !got.UpdatedAt.After(a.UpdatedAt) {
		t.Fatalf("owner %q, updated %v", got.Owner, got.UpdatedAt)
	}
}

func TestUpdateAppPassesTheEditsErrorAndRefusesRenaming(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	mine := errors.New("mine")
	if _, err := s.UpdateApp(t.Context(), a.ID, func(*renga.App) error { return mine }); !errors.Is(err, mine) {
		t.Fatalf("got %v", err)
	}
	_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error { a.Name = "tanka"; return nil })
	wantKind(t, err, renga.Invalid)
	_, err = s.UpdateApp(t.Context(), "nobody", func(*renga.App) error { return nil })
	wantKind(t, err, renga.NotFound)
}

func TestRemoveAppLeavesNoKey(t *testing.T) {
	s, p := newStore(t)
	raw := p.raw(t)
	before, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)

	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	check(t, s.SaveDynos(t.Context(), a.ID, []renga.Dyno{{ID: "d", Name: "web.1"}}))
	check(t, s.Restart(t.Context(), a.ID, renga.RestartAll))
	addDomain(t, s, a, "www.example.com")
	check(t, s.RemoveApp(t.Context(), a.ID))
	check(t, s.RemoveApp(t.Context(), a.ID)) // again

	after, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("before %v, after %v", before, after)
	}
	for name, call := range calls(s, a) {
		switch name {
		case "Ping", "CreateApp", "Apps", "AppIDs", "SomeApps", "RemoveApp", "DueApps", "UnfinishedRuns", "UpdateRun",
			"RunEnded":
			continue
		}
		if accountCalls(s)[name] != nil || addOnCalls(s, a.ID)[name] != nil {
			continue
		}
		if err := call(t.Context()); renga.KindOf(err) != renga.NotFound {
			t.Errorf("%s after removal: %v", name, err)
		}
	}
	if left, _ := raw.Keys(t.Context(), "*"+string(a.ID)+"*").Result(); len(left) != 0 {
		t.Fatalf("resurrected: %v", left)
	}
	createApp(t, s, "haiku") // the name is free
}

func TestRemovalCutByCrashIsFinished(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	raw := p.raw(t)
	// As RemoveApp leaves it when killed after its second step.
	check(t, raw.HSet(t.Context(), "renga:{platform}:apps", string(a.ID), `{"name":"haiku","removing":true}`).Err())
	for _, what := range []string{"app", "releases", "outcomes", "head", "dynos"} {
		check(t, raw.Del(t.Context(), "renga:{"+string(a.ID)+"}:"+what).Err())
	}
	_, err := s.Desired(t.Context(), a.ID)
	wantKind(t, err, renga.NotFound)
	check(t, s.Adopt(t.Context(), platform, false))
	ids, err := s.AppIDs(t.Context())
	check(t, err)
	if len(ids) != 0 {
		t.Fatalf("still listed: %v", ids)
	}
	createApp(t, s, "haiku")
}

func TestAppThatLostItsKeysIsUnavailableNotGone(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	check(t, p.raw(t).Del(t.Context(), "renga:{"+string(a.ID)+"}:app", "renga:{"+string(a.ID)+"}:head").Err())
	_, err := s.Desired(t.Context(), a.ID)
	wantKind(t, err, renga.Unavailable)
	_, err = s.Apps(t.Context())
	wantKind(t, err, renga.Unavailable)
}
