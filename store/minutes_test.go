package store_test

import (
	"testing"
	"time"

	"renga"
)

func TestMinutesOfADayAreKept(t *testing.T) {
	s, redis := newStore(t)
	a := createApp(t, s, "hello")
	first := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	web := renga.Minute{
		At: first, Type: renga.Web, Dynos: 2, Memory: 3, MaxMemory: 4, Quota: 5, CPU: 0.25, Requests: 6, Errors: 1,
		Service: 1500 * time.Microsecond,
	}
	clock := renga.Minute{At: first, Type: "clock", Dynos: 1, Memory: 7}
	if err := s.AddMinutes(t.Context(), a.ID, []renga.Minute{clock, web}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Minutes(t.Context(), a.ID)
	if err != nil || len(got) != 2 || got[0] != web || got[1] != clock {
		t.Errorf("minutes %+v, %v", got, err)
	}
	key := "renga:{" + string(a.ID) + "}:minutes"
	for range renga.MaxMinutes { // as if a day had passed
		redis.raw(t).RPush(t.Context(), key, `{"at":"2026-01-02T04:00:00Z","types":{"web":{}}}`)
	}
	web.At = first.Add(24 * time.Hour)
	if err := s.AddMinutes(t.Context(), a.ID, []renga.Minute{web}); err != nil {
		t.Fatal(err)
	}
	got, err = s.Minutes(t.Context(), a.ID)
	if err != nil || len(got) != renga.MaxMinutes || got[len(got)-1] != web || got[0].At.Equal(first) {
		t.Errorf("after a day there are %d minutes, %v", len(got), err)
	}
	if err := s.AddMinutes(t.Context(), "6c1b0f9e-0000-4000-8000-00000000000f",
		[]renga.Minute{web}); renga.KindOf(err) != renga.NotFound {
		t.Errorf("a minute of no app: %v", err)
	}
}
