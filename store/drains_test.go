package store_test

import (
	"strings"
	"testing"
	"time"

	"renga"
)

func TestDrainsAreKeptWithTheirUrlsSealed(t *testing.T) {
	s, redis := newStore(t)
	a, at := createApp(t, s, "hello"), time.Now().UTC()
	d := renga.Drain{
		ID: "1", App: a.ID, URL: "https://user:hunter2@logs.example.com", Token: "d.1", CreatedAt: at, UpdatedAt: at,
	}
	if err := s.AddDrain(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got, err := s.Drains(t.Context(), a.ID)
	if err != nil || len(got) != 1 || got[0] != d {
		t.Errorf("drains %+v, %v", got, err)
	}
	kept, err := redis.raw(t).HGetAll(t.Context(), "renga:{"+string(a.ID)+"}:drains").Result()
	if err != nil || len(kept) != 1 || strings.Contains(kept["1"], "hunter2") ||
		strings.Contains(kept["1"], "logs.example.com") {
		t.Errorf("Redis holds %v, %v", kept, err)
	}
	if err := s.RemoveDrain(t.Context(), a.ID, "2"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("removing none: %v", err)
	}
	if err := s.RemoveDrain(t.Context(), a.ID, "1"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Drains(t.Context(), a.ID); err != nil || len(got) != 0 {
		t.Errorf("drains %+v, %v", got, err)
	}
	if _, err := s.Drains(t.Context(), "6c1b0f9e-0000-4000-8000-00000000000f"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("drains of no app: %v", err)
	}
}
