package store_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"renga"
)

func TestHundredParallelFormationChangesAllCount(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error {
				web := f[renga.Web]
				web.Quantity++
				web.Size = renga.DefaultSize
				f[renga.Web] = web
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f, err := s.Formation(t.Context(), a.ID)
	check(t, err)
	if f[renga.Web].Quantity != 100 {
		t.Fatalf("quantity %d", f[renga.Web].Quantity)
	}
}

func TestSetFormationStampsOnlyWhatChanged(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	first, err := s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error {
		f[renga.Web] = renga.Scale{Quantity: 1, Size: "eco"}
		f["worker"] = renga.Scale{Quantity: 1, Size: "eco"}
		f["clock"] = renga.Scale{Quantity: 1, Size: "eco"}
		return nil
	})
	check(t, err)
	second, err := s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error {
		f[renga.Web] = renga.Scale{Quantity: 2, Size: "eco"}
		f["worker"] = renga.Scale{Quantity: 1, Size: "eco"}
		delete(f, "clock")
		return nil
	})
	check(t, err)
	stored, err := s.Formation(t.Context(), a.ID)
	check(t, err)
	if !reflect.DeepEqual(stored, second) {
		t.Fatalf("stored %+v, answered %+v", stored, second)
	}
	web := second[renga.Web]
	if second["worker"] != first["worker"] || web.CreatedAt != first[renga.Web].CreatedAt ||
		!web.UpdatedAt.After(web.CreatedAt) || len(second) != 2 {
		t.Fatalf("%+v after %+v", second, first)
	}
	_, err = s.SetFormation(t.Context(), a.ID, func(renga.Formation) error { return renga.Errorf(renga.Invalid, "No.") })
	wantKind(t, err, renga.Invalid)
}

func TestSavedDynosComeBack(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	none, err := s.Dynos(t.Context(), a.ID)
	if err != nil || len(none) != 0 {
		t.Fatalf("%v, %v", none, err)
	}
	at := time.Date(2026, 5, 6, 7, 8, 9, 10, time.UTC)
	want := []renga.Dyno{
		{
			ID: "1", App: a.ID, Name: "web.1", Type: "web", Size: "eco", Release: 4, Command: []string{"a", "b"},
			State: renga.Up, Since: at, Created: at,
		},
		{
			ID: "2", App: a.ID, Name: "web.2", Type: "web", Release: 4, State: renga.Crashed, Reason: "exit 1",
			Exit: &renga.Exit{Code: 137, OutOfMemory: true, LastLines: []string{"bye"}}, Since: at, Created: at,
		},
	}
	check(t, s.SaveDynos(t.Context(), a.ID, want))
	got, err := s.Dynos(t.Context(), a.ID)
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}
