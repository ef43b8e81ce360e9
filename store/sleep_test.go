package store_test

import (
	"strings"
	"testing"
	"time"

	"renga"
)

func TestSleepIsKeptUntilItEnds(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error {
		a.SleepAfter = time.Minute
		return nil
	})
	check(t, err)
	since := time.Now().Add(time.Hour).UTC()
	check(t, s.SetAsleep(t.Context(), a.ID, since))
	d, err := s.Desired(t.Context(), a.ID)
	check(t, err)
	if d.App.SleepAfter != time.Minute || !d.AsleepSince.Equal(since) || !d.Asleep() {
		t.Fatalf("asleep since %v: %+v", since, d)
	}
	check(t, s.SetAsleep(t.Context(), a.ID, time.Time{}))
	d, err = s.Desired(t.Context(), a.ID)
	check(t, err)
	if !d.AsleepSince.IsZero() || d.Asleep() {
		t.Fatalf("awake: %+v", d)
	}
	check(t, s.SetAsleep(t.Context(), a.ID, since))
	check(t, s.RemoveApp(t.Context(), a.ID))
	wantKind(t, s.SetAsleep(t.Context(), a.ID, since), renga.NotFound)
	left, err := p.raw(t).Keys(t.Context(), "*"+string(a.ID)+"*").Result()
	check(t, err)
	if len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestWhatChangesTheFormationEndsItsSleep(t *testing.T) {
	s, _ := newStore(t)
	for name, change := range map[string]func(id renga.AppID) error{
		"scaling": func(id renga.AppID) error {
			_, err := s.SetFormation(t.Context(), id, func(f renga.Formation) error {
				f[renga.Web] = renga.Scale{Quantity: 2, Size: "eco"}
				return nil
			})
			return err
		},
		"a restart": func(id renga.AppID) error { return s.Restart(t.Context(), id, "web") },
		"no more sleep": func(id renga.AppID) error {
			_, err := s.UpdateApp(t.Context(), id, func(a *renga.App) error {
				a.SleepAfter = 0
				return nil
			})
			return err
		},
		"a release": func(id renga.AppID) error {
			commit(t, s, id, 2)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := createApp(t, s, strings.ReplaceAll(name, " ", "-"))
			_, err := s.UpdateApp(t.Context(), a.ID, func(a *renga.App) error {
				a.SleepAfter = time.Minute
				return nil
			})
			check(t, err)
			_, err = s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error {
				f[renga.Web] = renga.Scale{Quantity: 1, Size: "eco"}
				return nil
			})
			check(t, err)
			check(t, s.SetAsleep(t.Context(), a.ID, time.Now()))
			check(t, s.Restart(t.Context(), a.ID, "run.1234")) // the end of a one-off dyno is none of its
			if d, err := s.Desired(t.Context(), a.ID); err != nil || !d.Asleep() {
				t.Fatalf("before: %+v, %v", d, err)
			}
			check(t, change(a.ID))
			if d, err := s.Desired(t.Context(), a.ID); err != nil || d.Asleep() {
				t.Errorf("after: %+v, %v", d, err)
			}
		})
	}
}
