package store_test

import (
	"testing"

	"renga"
)

// TestAnAddOnIsRestoredOnlyWhileRestoring, once, with its names and its secrets.
func TestAnAddOnIsRestoredOnlyWhileRestoring(t *testing.T) {
	s, p := newStore(t)
	app := createApp(t, s, "haiku")
	a := createAddOn(t, s, "postgresql-curved-1", app.ID, "DATABASE")
	check(t, s.RemoveAddOn(t.Context(), a.ID))
	platform := p.raw(t).HGet(t.Context(), "renga:{platform}:platform", "id").Val()
	if err := s.RestoreAddOn(t.Context(), platform, a); err == nil {
		t.Error("it is restored though nothing is")
	}
	check(t, s.BeginRestore(t.Context(), platform))
	if _, err := s.AddOn(t.Context(), a.ID); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("read meanwhile: %v", err)
	}
	for range 2 {
		check(t, s.RestoreAddOn(t.Context(), platform, a))
	}
	twin := a.Clone()
	twin.ID = "70000000-0000-4000-8000-000000000099"
	if err := s.RestoreAddOn(t.Context(), platform, twin); renga.KindOf(err) != renga.Conflict {
		t.Errorf("another of the same name: %v", err)
	}
	twin.Name, twin.Host, twin.App, twin.Attachments = "other", "other.internal", "gone", nil
	if err := s.RestoreAddOn(t.Context(), platform, twin); renga.KindOf(err) != renga.NotFound {
		t.Errorf("one of an app that is gone: %v", err)
	}
	check(t, s.EndRestore(t.Context(), platform))
	got, err := s.AddOnByName(t.Context(), a.Name)
	if err != nil || got.Admin != a.Admin || got.Credentials[0].Password != a.Credentials[0].Password {
		t.Errorf("restored is %+v, %v", got, err)
	}
	if of, err := s.AddOnsOf(t.Context(), app.ID); err != nil || len(of) != 1 {
		t.Errorf("the app has %+v, %v", of, err)
	}
}
