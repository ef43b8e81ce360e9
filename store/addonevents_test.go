package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
)

func TestWhatHappensToAddOnsIsTold(t *testing.T) {
	s, p := newStore(t)
	app, other, deaf := createApp(t, s, "haiku"), createApp(t, s, "tanka"), createApp(t, s, "deaf")
	hook(t, s, app.ID, renga.AddOnEvent, renga.AttachmentEvent)
	hook(t, s, other.ID, renga.AddOnEvent, renga.AttachmentEvent)
	hook(t, s, deaf.ID, renga.AppEvent)

	a := createAddOn(t, s, "postgresql-curved-1", app.ID, "DATABASE")
	for _, change := range []func(a *renga.AddOn) error{
		func(a *renga.AddOn) error { a.Step = "pulling image 40 %"; return nil },           // for those who wait
		func(a *renga.AddOn) error { a.Credentials[0].Password = "other"; return nil },     // nobody's business
		func(a *renga.AddOn) error { a.Step, a.State = "", renga.Provisioned; return nil }, // an update
		func(a *renga.AddOn) error {
			a.Attachments = append(a.Attachments, attachment("LEDGER", other.ID), attachment("MORE", deaf.ID))
			return nil
		},
		func(a *renga.AddOn) error { a.Attachments[1].Name = "BOOKS"; return nil },
		func(a *renga.AddOn) error { a.Attachments[1].Leaving = true; return nil },
		func(a *renga.AddOn) error { a.Attachments = a.Attachments[:1]; return nil }, // it was told
	} {
		if _, err := editAddOn(t, s, a.ID, change); err != nil {
			t.Fatal(err)
		}
	}
	check(t, s.RemoveAddOn(t.Context(), a.ID))
	for id, want := range map[renga.AppID][]string{
		app.ID: {
			"api:addon create", "api:addon-attachment create", "api:addon update", "api:addon destroy",
			"api:addon-attachment destroy",
		},
		other.ID: {"api:addon-attachment create", "api:addon-attachment update", "api:addon-attachment destroy"},
		deaf.ID:  nil,
	} {
		if got := eventTexts(t, s, id); !slices.Equal(got, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	events, err := s.Events(t.Context(), app.ID)
	check(t, err)
	if e := events[2]; e.Subject.AddOn.State != renga.Provisioned || e.Before.AddOn.State != renga.Provisioning ||
		e.App.Name != "haiku" || e.Subject.AddOn.Attachments[0].Name != "DATABASE" {
		t.Errorf("the update is %+v", e)
	}
	if e := events[1]; e.Subject.Attachment.Name != "DATABASE" || e.Subject.AddOn.Name != a.Name {
		t.Errorf("the attachment is %+v", e)
	}
	due, err := s.DueDeliveries(t.Context(), app.ID, time.Now())
	check(t, err)
	for _, ids := range due {
		if len(ids) != 5 {
			t.Errorf("due are %v", ids)
		}
	}
	if n := p.raw(t).Exists(t.Context(), "renga:{platform}:addonevents").Val(); n != 0 {
		t.Error("events wait still")
	}
	wantNoSecret(t, p, "s3cret")
}

// What was recorded with a change and not moved is moved by the next start, once.
func TestAnEventThatACrashLeftIsTold(t *testing.T) {
	s, p := newStore(t)
	app := createApp(t, s, "haiku")
	hook(t, s, app.ID, renga.AddOnEvent)
	raw := p.raw(t)
	// No event can be moved into this, as if Renga had died before it.
	events := "renga:{" + string(app.ID) + "}:events"
	check(t, raw.Set(t.Context(), events, "no hash", 0).Err())
	createAddOn(t, s, "postgresql-curved-1", app.ID)
	waiting, err := raw.HGetAll(t.Context(), "renga:{platform}:addonevents").Result()
	check(t, err)
	if len(waiting) != 1 {
		t.Fatalf("waiting are %v", waiting)
	}
	check(t, raw.Del(t.Context(), events).Err())
	for range 2 { // and as if it had died after moving it
		check(t, open(t, p.url()).Adopt(t.Context(), platform, false))
		if got := eventTexts(t, s, app.ID); !slices.Equal(got, []string{"api:addon create"}) {
			t.Errorf("told %v", got)
		}
		due, err := s.DueDeliveries(t.Context(), app.ID, time.Now())
		check(t, err)
		for _, ids := range due {
			if len(ids) != 1 {
				t.Errorf("due are %v", ids)
			}
		}
		for id, e := range waiting {
			check(t, raw.HSet(t.Context(), "renga:{platform}:addonevents", id, e).Err())
		}
	}
}

// A partner is told of its own add-on, and of what else happens to the app; of what
// the app has from others it learns nothing.
func TestAPartnerIsToldOfItsOwnAddOnOnly(t *testing.T) {
	s, _ := newStore(t)
	app := createApp(t, s, "haiku")
	own := createAddOn(t, s, "postgresql-curved-1", app.ID, "DATABASE")
	partners := hook(t, s, app.ID, renga.AddOnEvent, renga.AttachmentEvent, renga.AppEvent)
	of := func(id renga.AddOnID) {
		check(t, s.EditWebhooks(t.Context(), app.ID, func(hooks map[string]renga.Webhook) error {
			h := hooks[partners.ID]
			h.AddOn = id
			hooks[h.ID] = h
			return nil
		}))
	}
	of(own.ID)
	other := createAddOn(t, s, "redis-flat-1", app.ID, "REDIS")
	provided := func(a *renga.AddOn) error { a.State = renga.Provisioned; return nil }
	_, err := editAddOn(t, s, other.ID, provided)
	check(t, err)
	check(t, s.RemoveAddOn(t.Context(), other.ID))
	if got := eventTexts(t, s, app.ID); len(got) != 0 {
		t.Errorf("kept for nobody are %v", got)
	}

	people := hook(t, s, app.ID, renga.AddOnEvent, renga.AttachmentEvent)
	_, err = editAddOn(t, s, own.ID, func(a *renga.AddOn) error {
		a.Attachments[0].Name = "BOOKS"
		return provided(a)
	})
	check(t, err)
	createAddOn(t, s, "redis-flat-2", app.ID, "REDIS")
	_, err = s.UpdateApp(t.Context(), app.ID, func(a *renga.App) error { a.Maintenance = true; return nil })
	check(t, err)
	events, err := s.Events(t.Context(), app.ID)
	check(t, err)
	names := map[string]string{}
	for _, e := range events {
		if names[e.ID] = string(e.Kind); e.Subject.AddOn != nil {
			names[e.ID] += " " + e.Subject.AddOn.Name
		}
	}
	told := map[string][]string{}
	deliveries, err := s.Deliveries(t.Context(), app.ID)
	check(t, err)
	for _, d := range deliveries {
		told[d.Webhook] = append(told[d.Webhook], names[d.Event])
	}
	ownTexts := []string{"api:addon postgresql-curved-1", "api:addon-attachment postgresql-curved-1"}
	if want := append(slices.Clone(ownTexts), "api:app"); !slices.Equal(told[partners.ID], want) {
		t.Errorf("the partner is told %v, want %v", told[partners.ID], want)
	}
	want := append(slices.Clone(ownTexts), "api:addon redis-flat-2", "api:addon-attachment redis-flat-2")
	if !slices.Equal(told[people.ID], want) {
		t.Errorf("the app's people are told %v, want %v", told[people.ID], want)
	}
}
