package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

// newAddOn is an add-on that its app has attached under those names.
func newAddOn(name string, app renga.AppID, attachments ...string) renga.AddOn {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	a := renga.AddOn{
		ID: renga.AddOnID(uuid.NewString()), Name: name, Host: name + renga.AddOnDomain, App: app,
		Service: "heroku-postgresql", Plan: "essential-0", State: renga.Provisioning, Admin: "admin-s3cret", Generation: 1,
		Partner: renga.Partner{
			Config: map[string]renga.Secret{"PARTNER_URL": "partner-s3cret"}, State: renga.PartnerPending, Plan: "test",
			CodeUntil: at,
		},
		Credentials: []renga.Credential{{Name: renga.DefaultCredential, Version: 1, User: "u1", Password: "user-s3cret"}},
		CreatedAt:   at, UpdatedAt: at,
	}
	for _, name := range attachments {
		a.Attachments = append(a.Attachments, attachment(name, app))
	}
	return a
}

func attachment(name string, app renga.AppID) renga.Attachment {
	return renga.Attachment{ID: uuid.NewString(), App: app, Name: name, Credential: renga.DefaultCredential}
}

func createAddOn(t testing.TB, s *store.Store, name string, app renga.AppID, attachments ...string) renga.AddOn {
	t.Helper()
	a := newAddOn(name, app, attachments...)
	check(t, s.CreateAddOn(t.Context(), a))
	return a
}

// editAddOn lets edit change one add-on, and gives back what is stored of it.
func editAddOn(t testing.TB, s *store.Store, id renga.AddOnID, edit func(*renga.AddOn) error) (renga.AddOn, error) {
	t.Helper()
	err := s.EditAddOns(t.Context(), []renga.AddOnID{id}, func(all map[renga.AddOnID]*renga.AddOn) error {
		return edit(all[id])
	})
	if err != nil {
		return renga.AddOn{}, err
	}
	return s.AddOn(t.Context(), id)
}

// addOnNames are those of the add-ons that an app owns or has attached.
func addOnNames(t testing.TB, s *store.Store, app renga.AppID) []string {
	t.Helper()
	all, err := s.AddOnsOf(t.Context(), app)
	check(t, err)
	names := make([]string, 0, len(all))
	for _, a := range all {
		names = append(names, a.Name)
	}
	return names
}

// wantGone fails if anything leads to the add-on.
func wantGone(t testing.TB, s *store.Store, a renga.AddOn) {
	t.Helper()
	_, err := s.AddOn(t.Context(), a.ID)
	wantKind(t, err, renga.NotFound)
	_, err = s.AddOnByName(t.Context(), a.Name)
	wantKind(t, err, renga.NotFound)
	for _, at := range a.Attachments {
		_, err = s.AddOnByAttachment(t.Context(), at.ID)
		wantKind(t, err, renga.NotFound)
	}
}

func TestAnAddOnIsFoundByAllThatNamesIt(t *testing.T) {
	s, _ := newStore(t)
	app, other := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	want := newAddOn("postgresql-curved-1", app.ID, "DATABASE")
	want.Attachments = append(want.Attachments, attachment("LEDGER", other.ID))
	check(t, s.CreateAddOn(t.Context(), want))
	check(t, s.CreateAddOn(t.Context(), want)) // again
	detached := createAddOn(t, s, "redis-round-2", app.ID)

	byID, err := s.AddOn(t.Context(), want.ID)
	check(t, err)
	byName, err := s.AddOnByName(t.Context(), want.Name)
	check(t, err)
	byAttachment, err := s.AddOnByAttachment(t.Context(), want.Attachments[1].ID)
	check(t, err)
	ofOther, err := s.AddOnsOf(t.Context(), other.ID)
	check(t, err)
	for how, got := range map[string]renga.AddOn{
		"id": byID, "name": byName, "attachment": byAttachment, "the other app": ofOther[0],
	} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by %s it is %+v, want %+v", how, got, want)
		}
	}
	if got := addOnNames(t, s, app.ID); !slices.Equal(got, []string{want.Name, detached.Name}) {
		t.Errorf("the app has %v", got)
	}
	if got := addOnNames(t, s, other.ID); !slices.Equal(got, []string{want.Name}) {
		t.Errorf("the other app has %v", got)
	}
	all, err := s.AddOns(t.Context())
	check(t, err)
	if len(all) != 2 || all[0].ID != want.ID || all[1].ID != detached.ID {
		t.Errorf("all are %+v", all)
	}
	_, err = s.AddOnByName(t.Context(), want.Host)
	wantKind(t, err, renga.NotFound)
}

// Of several who want the same name at once one gets it.
func TestANameBelongsToOneAddOn(t *testing.T) {
	s, _ := newStore(t)
	app, other := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	for what, made := range map[string]func(n int) renga.AddOn{
		"the name":              func(int) renga.AddOn { return newAddOn("shared", app.ID) },
		"the attachment's name": func(n int) renga.AddOn { return newAddOn(fmt.Sprint("one-", n), app.ID, "DATABASE") },
		"the id of the attachment": func(n int) renga.AddOn {
			a := newAddOn(fmt.Sprint("two-", n), app.ID, fmt.Sprint("NAME_", n))
			a.Attachments[0].ID = "same"
			return a
		},
	} {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for n := range errs {
			wg.Go(func() { errs[n] = s.CreateAddOn(t.Context(), made(n)) })
		}
		wg.Wait()
		won := 0
		for n, err := range errs {
			if err == nil {
				won++
				continue
			}
			if wantKind(t, err, renga.Conflict); what != "the name" {
				_, err := s.AddOnByName(t.Context(), made(n).Name)
				wantKind(t, err, renga.NotFound)
			}
		}
		if won != 1 {
			t.Errorf("%s went to %d: %v", what, won, errs)
		}
	}
	twice := newAddOn("twice", other.ID, "DATABASE", "DATABASE")
	wantKind(t, s.CreateAddOn(t.Context(), twice), renga.Conflict)
	createAddOn(t, s, "free", other.ID, "DATABASE") // a name of another app's
}

func TestARenamedAddOnKeepsItsHostToItself(t *testing.T) {
	s, _ := newStore(t)
	app := createApp(t, s, "haiku")
	a := createAddOn(t, s, "first", app.ID, "DATABASE")
	renamed, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error { a.Name = "second"; return nil })
	check(t, err)
	if renamed.Name != "second" || renamed.Host != "first"+renga.AddOnDomain || !renamed.UpdatedAt.After(a.UpdatedAt) {
		t.Errorf("renamed is %+v", renamed)
	}
	_, err = s.AddOnByName(t.Context(), "first")
	wantKind(t, err, renga.NotFound)
	wantKind(t, s.CreateAddOn(t.Context(), newAddOn("first", app.ID)), renga.Conflict)
	wantKind(t, s.CreateAddOn(t.Context(), newAddOn("second", app.ID)), renga.Conflict)
	_, err = editAddOn(t, s, a.ID, func(a *renga.AddOn) error { a.Name = "first"; return nil })
	check(t, err)
	check(t, s.RemoveAddOn(t.Context(), a.ID))
	createAddOn(t, s, "first", app.ID, "DATABASE")
	createAddOn(t, s, "second", app.ID)
}

// A promotion takes a name from one add-on and gives it to another: no moment has
// it twice or not at all.
func TestANamePassesFromOneAddOnToAnother(t *testing.T) {
	s, _ := newStore(t)
	app := createApp(t, s, "haiku")
	old, promoted := createAddOn(t, s, "old", app.ID, "DATABASE"), createAddOn(t, s, "new", app.ID, "COBALT")
	_, err := editAddOn(t, s, promoted.ID, func(a *renga.AddOn) error {
		a.Attachments[0].Name = "DATABASE"
		return nil
	})
	wantKind(t, err, renga.Conflict)
	swap := func(all map[renga.AddOnID]*renga.AddOn) error {
		one, two := &all[old.ID].Attachments[0], &all[promoted.ID].Attachments[0]
		one.Name, two.Name = two.Name, one.Name
		return nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 8 {
				if err := s.EditAddOns(t.Context(), []renga.AddOnID{promoted.ID, old.ID}, swap); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	check(t, s.EditAddOns(t.Context(), []renga.AddOnID{promoted.ID, old.ID}, swap))
	after, err := s.AddOnsOf(t.Context(), app.ID)
	check(t, err)
	names := map[renga.AddOnID]string{}
	for _, a := range after {
		names[a.ID] = a.Attachments[0].Name
	}
	if names[promoted.ID] != "DATABASE" || names[old.ID] != "COBALT" {
		t.Fatalf("attachments are %v", names)
	}
	wantKind(t, s.CreateAddOn(t.Context(), newAddOn("third", app.ID, "COBALT")), renga.Conflict)
	refuse := errors.New("no")
	err = s.EditAddOns(t.Context(), []renga.AddOnID{promoted.ID, old.ID}, func(all map[renga.AddOnID]*renga.AddOn) error {
		all[old.ID].Attachments = nil
		return refuse
	})
	if !errors.Is(err, refuse) || len(addOnNames(t, s, app.ID)) != 2 {
		t.Errorf("the error is %v", err)
	}
}

// An attachment that is leaving has no name any more, but its app has the add-on.
func TestALeavingAttachmentGivesItsNameBack(t *testing.T) {
	s, _ := newStore(t)
	app, other := createApp(t, s, "haiku"), createApp(t, s, "tanka")
	a := createAddOn(t, s, "first", app.ID, "DATABASE")
	leave := func(leaving bool) error {
		_, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error {
			a.Attachments[0].App, a.Attachments[0].Leaving = other.ID, leaving
			return nil
		})
		return err
	}
	check(t, leave(true))
	createAddOn(t, s, "second", other.ID, "DATABASE")
	if got := addOnNames(t, s, other.ID); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the app has %v", got)
	}
	found, err := s.AddOnByAttachment(t.Context(), a.Attachments[0].ID)
	check(t, err)
	if found.ID != a.ID || !found.Attachments[0].Leaving {
		t.Errorf("found %+v", found)
	}
	wantKind(t, leave(false), renga.Conflict)
	check(t, s.RemoveApp(t.Context(), other.ID))
	left, err := s.AddOn(t.Context(), a.ID)
	check(t, err)
	if len(left.Attachments) != 0 {
		t.Errorf("left are %+v", left.Attachments)
	}
}

func TestAnEditThatChangesNothingIsNone(t *testing.T) {
	s, _ := newStore(t)
	a := createAddOn(t, s, "postgresql-curved-1", createApp(t, s, "haiku").ID, "DATABASE")
	same, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error {
		a.Options, a.Credentials = map[string]string{}, slices.Clone(a.Credentials)
		return nil
	})
	check(t, err)
	if !same.UpdatedAt.Equal(a.UpdatedAt) {
		t.Errorf("updated at %s", same.UpdatedAt)
	}
	err = s.EditAddOns(t.Context(), []renga.AddOnID{a.ID, "nobody"}, func(map[renga.AddOnID]*renga.AddOn) error {
		t.Error("an edit was asked for an add-on that is not there")
		return nil
	})
	wantKind(t, err, renga.NotFound)
}

func TestAddOnsGoWithTheirApp(t *testing.T) {
	s, p := newStore(t)
	stays := createApp(t, s, "tanka")
	others := createAddOn(t, s, "others", stays.ID, "DATABASE")
	raw := p.raw(t)
	before, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)

	app := createApp(t, s, "haiku")
	own := createAddOn(t, s, "own", app.ID, "DATABASE")
	_, err = editAddOn(t, s, others.ID, func(a *renga.AddOn) error {
		a.Attachments = append(a.Attachments, attachment("LEDGER", app.ID))
		return nil
	})
	check(t, err)
	_, err = editAddOn(t, s, own.ID, func(a *renga.AddOn) error {
		a.Attachments = append(a.Attachments, attachment("THEIRS", stays.ID))
		return nil
	})
	check(t, err)
	check(t, s.RemoveApp(t.Context(), app.ID))
	leaving, err := s.AddOn(t.Context(), own.ID) // what it is may still run
	check(t, err)
	if leaving.State != renga.Deprovisioning || len(leaving.Attachments) != 1 || leaving.Attachments[0].Name != "THEIRS" {
		t.Errorf("the app's own is %+v", leaving)
	}
	check(t, s.RemoveAddOn(t.Context(), own.ID))

	after, err := raw.Keys(t.Context(), "*").Result()
	check(t, err)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	wantGone(t, s, own)
	left, err := s.AddOn(t.Context(), others.ID)
	check(t, err)
	if len(left.Attachments) != 1 || left.Attachments[0].Name != "DATABASE" {
		t.Errorf("left are %+v", left.Attachments)
	}
	if got := addOnNames(t, s, stays.ID); !slices.Equal(got, []string{"others"}) {
		t.Errorf("the app that stays has %v", got)
	}
	wantKind(t, s.CreateAddOn(t.Context(), newAddOn("late", app.ID)), renga.NotFound)
	check(t, s.RemoveAddOn(t.Context(), others.ID))
	check(t, s.RemoveAddOn(t.Context(), others.ID)) // again
	wantGone(t, s, others)
}

func TestSecretsOfAddOnsAreSealed(t *testing.T) {
	s, p := newStore(t)
	app := createApp(t, s, "haiku")
	a := createAddOn(t, s, "postgresql-curved-1", app.ID, "DATABASE")
	other := createAddOn(t, s, "postgresql-round-2", app.ID)
	_, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error {
		a.Credentials = append(a.Credentials, renga.Credential{
			Name: renga.DefaultCredential, Version: 2, User: "u2", Password: "rotated-s3cret", State: renga.CredentialNew,
		})
		a.State = renga.Provisioned
		return nil
	})
	check(t, err)
	got, err := s.AddOn(t.Context(), a.ID)
	check(t, err)
	if got.Admin != a.Admin || got.Partner.Config["PARTNER_URL"] != "partner-s3cret" || len(got.Credentials) != 2 ||
		got.Credentials[0].Password != "user-s3cret" || got.Credentials[1].Password != "rotated-s3cret" {
		t.Errorf("the secrets did not come back: %+v", got)
	}
	wantNoSecret(t, p, "s3cret")
	// What is sealed for one opens for no other.
	raw := p.raw(t)
	stored, err := raw.Get(t.Context(), "renga:{platform}:addon:"+string(a.ID)).Result()
	check(t, err)
	check(t, raw.Set(t.Context(), "renga:{platform}:addon:"+string(other.ID),
		`{"id":"`+string(other.ID)+`",`+stored[len(`{"id":"`+string(a.ID)+`",`):], 0).Err())
	if moved, err := s.AddOn(t.Context(), other.ID); err == nil {
		t.Errorf("another add-on opened it: %+v", moved)
	}
}

func TestAnAppHasSoManyAddOns(t *testing.T) {
	s, _ := newStore(t)
	app := createApp(t, s, "haiku")
	a := createAddOn(t, s, "many", app.ID)
	attach := func(n int) error {
		_, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error {
			for range n {
				a.Attachments = append(a.Attachments, attachment(fmt.Sprint("NAME_", len(a.Attachments)), app.ID))
			}
			return nil
		})
		return err
	}
	wantKind(t, attach(200), renga.Invalid)
	check(t, attach(199))
	wantKind(t, attach(1), renga.Invalid)
	wantKind(t, s.CreateAddOn(t.Context(), newAddOn("more", app.ID)), renga.Invalid)
	_, err := editAddOn(t, s, a.ID, func(a *renga.AddOn) error { a.Attachments[7].Name = "OTHER"; return nil })
	check(t, err) // what it has can be changed
}

// What an app does with its add-ons costs the same however many others have.
func TestAddOnsOfOthersCostNothing(t *testing.T) {
	s, p := newStore(t)
	raw := p.raw(t)
	app := createApp(t, s, "haiku")
	mine := createAddOn(t, s, "mine", app.ID, "DATABASE")
	work := map[string]func(){
		"read an app's":      func() { addOnNames(t, s, app.ID) },
		"find by name":       func() { _, err := s.AddOnByName(t.Context(), "mine"); check(t, err) },
		"find by attachment": func() { _, err := s.AddOnByAttachment(t.Context(), mine.Attachments[0].ID); check(t, err) },
		"make and remove": func() {
			gone := createAddOn(t, s, "gone", app.ID, "GONE")
			check(t, s.RemoveAddOn(t.Context(), gone.ID))
		},
		"rename": func() {
			_, err := editAddOn(t, s, mine.ID, func(a *renga.AddOn) error {
				a.Attachments[0].Name += "_X"
				return nil
			})
			check(t, err)
		},
		"remove an app": func() {
			a := createApp(t, s, "short-lived")
			gone := createAddOn(t, s, "short-lived", a.ID, "DATABASE")
			check(t, s.RemoveApp(t.Context(), a.ID))
			check(t, s.RemoveAddOn(t.Context(), gone.ID))
		},
	}
	measure := func() map[string]int {
		cost := map[string]int{}
		for name, do := range work {
			do() // connections are there, and greeted
			before := traffic(t, raw)
			do()
			cost[name] = traffic(t, raw) - before
		}
		return cost
	}
	alone := measure()
	for n := range 400 {
		others := createApp(t, s, fmt.Sprint("others-", n))
		createAddOn(t, s, fmt.Sprint("others-", n), others.ID, "DATABASE")
	}
	crowded := measure()
	for name, cost := range alone {
		// 400 add-ons of others are 300 kB.
		if crowded[name] > cost+1000 {
			t.Errorf("to %s moved %d bytes alone, and %d among others", name, cost, crowded[name])
		}
	}
}
