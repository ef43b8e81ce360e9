package store_test

import (
	"fmt"
	"reflect"
	"testing"

	"renga"
)

func TestNewestIsTheHeadOfEachApp(t *testing.T) {
	s, _ := newStore(t)
	var ids []renga.AppID
	for i := range 5 {
		a := createApp(t, s, fmt.Sprintf("app-%d", i))
		for v := 2; v <= 1+i; v++ {
			commit(t, s, a.ID, v)
		}
		ids = append(ids, a.ID)
	}
	newest, err := s.Newest(t.Context(), append(ids, renga.AppID("20000000-0000-4000-8000-00000000dead")))
	check(t, err)
	if len(newest) != len(ids) {
		t.Errorf("%d apps, want %d", len(newest), len(ids))
	}
	for _, id := range ids {
		head, err := s.Head(t.Context(), id)
		check(t, err)
		if !reflect.DeepEqual(newest[id], head) {
			t.Errorf("newest is %+v, head %+v", newest[id], head)
		}
	}
	if none, err := s.Newest(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of no app: %v, %v", none, err)
	}
}
