package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/store"
)

// hook adds a webhook to an app.
func hook(t *testing.T, s *store.Store, app renga.AppID, include ...renga.EventKind) renga.Webhook {
	t.Helper()
	w := renga.Webhook{
		ID: uuid.NewString(), URL: "https://example.com/hook", Level: renga.Sync, Include: include,
		Secret: "sign-s3cret", Authorization: "Bearer auth-s3cret", CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
	}
	check(t, s.EditWebhooks(t.Context(), app, func(hooks map[string]renga.Webhook) error {
		hooks[w.ID] = w
		return nil
	}))
	return w
}

// eventTexts is what the app's events say, in short.
func eventTexts(t *testing.T, s *store.Store, app renga.AppID) []string {
	t.Helper()
	events, err := s.Events(t.Context(), app)
	check(t, err)
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s %s", e.Kind, e.Action))
	}
	return all
}

func TestFactsBecomeEventsForThoseWhoWantThem(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2) // nobody listens yet
	hook(t, s, a.ID, renga.EventKinds...)
	hook(t, s, a.ID, renga.DynoEvent)
	ctx := renga.ActedBy(t.Context(), "ada")

	v3 := renga.ReleaseRecord{App: a.ID, Version: 3, Digest: digestOf(3), By: "bob"}
	check(t, s.Commit(ctx, v3, "push-3", nil))
	check(t, s.SetOutcome(ctx, a.ID, 3, renga.Outcome{Status: renga.Succeeded}))
	check(t, s.Commit(ctx, renga.ReleaseRecord{App: a.ID, Version: 4, Digest: digestOf(4), By: "bob"},
		renga.PromotionTarget{ID: "x"}.ChangeID(), nil))
	wantKind(t, s.Commit(ctx, renga.ReleaseRecord{App: a.ID, Version: 9, Digest: digestOf(9)}, "", nil), renga.Conflict)
	_, err := s.SetFormation(ctx, a.ID, func(f renga.Formation) error {
		f["web"] = renga.Scale{Quantity: 3, Size: "eco"}
		return nil
	})
	check(t, err)
	web := renga.Dyno{ID: "d1", App: a.ID, Name: "web.1", Type: "web", State: renga.Starting}
	up := web
	up.State = renga.Up
	for _, dynos := range [][]renga.Dyno{{web}, {up}, {up}, {}} {
		check(t, s.SaveDynos(ctx, a.ID, dynos))
	}
	share := func(a *renga.App) error {
		a.Collaborators = map[renga.AccountID]renga.Collaborator{"eve": {
			ID: "c1", Account: "eve", Permissions: []renga.Permission{renga.MayView},
		}}
		return nil
	}
	for _, edit := range []func(*renga.App) error{
		func(a *renga.App) error { a.Maintenance = true; return nil }, share,
		func(a *renga.App) error { a.Collaborators = nil; return nil },
		func(a *renga.App) error { a.Deleting = true; return nil },
	} {
		_, err := s.UpdateApp(ctx, a.ID, edit)
		check(t, err)
	}
	want := []string{
		"api:build create", "api:release create", "api:release update", // v3 is made, v2 superseded
		"api:release update", "api:release create", "api:formation update",
		"dyno create", "dyno update", "dyno destroy",
		"api:app update", "api:collaborator create", "api:collaborator destroy", "api:app destroy",
	}
	if got := eventTexts(t, s, a.ID); !slices.Equal(got, want) {
		t.Fatalf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	events, err := s.Events(t.Context(), a.ID)
	check(t, err)
	if e := events[3]; e.By != "bob" || e.Subject.Release.Outcome.Status != renga.Succeeded ||
		e.Before.Release.Outcome.Status != renga.Pending {
		t.Errorf("the outcome's event is %+v", e)
	}
	if e := events[5]; e.By != "ada" || e.Subject.Process.Type != "web" || e.Subject.Process.Scale.Quantity != 3 ||
		e.App.Name != "haiku" {
		t.Errorf("the formation's event is %+v", e)
	}
	if e := events[7]; e.Subject.Dyno.State != renga.Up || e.Before.Dyno.State != renga.Starting {
		t.Errorf("the dyno's event is %+v", e)
	}
	if e := events[10]; e.Subject.Collaborator.Account != "eve" || len(e.Subject.Collaborator.Permissions) != 1 {
		t.Errorf("the collaborator's event is %+v", e)
	}
	due, err := s.DueDeliveries(t.Context(), a.ID, time.Now())
	check(t, err)
	var counts []int
	for _, ids := range due {
		counts = append(counts, len(ids))
	}
	if slices.Sort(counts); !slices.Equal(counts, []int{3, len(want)}) {
		t.Errorf("due are %v deliveries", counts)
	}
}

func TestChangesOfDomainsAndCertificatesAreEvents(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	hook(t, s, a.ID, renga.DomainEvent, renga.EndpointEvent)
	e, err := s.AddEndpoint(t.Context(), renga.Endpoint{ID: "e1", App: a.ID, CertificateID: "c1"}, "private k3y")
	check(t, err)
	d, err := s.AddDomain(t.Context(), renga.Domain{ID: "d1", App: a.ID, Hostname: "www.example.com"})
	check(t, err)
	_, err = s.UpdateDomain(t.Context(), a.ID, d.ID, func(d *renga.Domain) error {
		d.Endpoint = e.ID
		return nil
	})
	check(t, err)
	check(t, s.RemoveEndpoint(t.Context(), a.ID, e.ID))
	check(t, s.RemoveDomain(t.Context(), a.ID, d.ID))
	want := []string{
		"api:sni-endpoint create", "api:domain create", "api:domain update",
		"api:sni-endpoint destroy", "api:domain update", "api:domain destroy",
	}
	if got := eventTexts(t, s, a.ID); !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
	events, err := s.Events(t.Context(), a.ID)
	check(t, err)
	if e := events[0].Subject.Endpoint; e.ID != "e1" || e.Name == "" {
		t.Errorf("the certificate is %+v", e)
	}
	if e := events[2]; e.Subject.Domain.Endpoint != "e1" || e.Before.Domain.Endpoint != "" ||
		e.Subject.Domain.Hostname != "www.example.com" {
		t.Errorf("the update is %+v", e)
	}
}

func TestASupersededReleaseIsTold(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	hook(t, s, a.ID, renga.ReleaseEvent)
	commit(t, s, a.ID, 2)
	commit(t, s, a.ID, 3)
	if got, want := eventTexts(t, s, a.ID), []string{
		"api:release create", "api:release create", "api:release update",
	}; !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
	events, err := s.Events(t.Context(), a.ID)
	check(t, err)
	if r := events[2].Subject.Release; r.Version != 2 || r.Outcome.Status != renga.Superseded {
		t.Errorf("release is %+v", r)
	}
}

func TestRenamingAnAppIsAnEvent(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	hook(t, s, a.ID, renga.AppEvent)
	_, err := s.RenameApp(t.Context(), a.ID, "tanka")
	check(t, err)
	events, err := s.Events(t.Context(), a.ID)
	check(t, err)
	if len(events) != 1 || events[0].Subject.App.Name != "tanka" || events[0].Before.App.Name != "haiku" {
		t.Fatalf("events are %+v", events)
	}
}

func TestAnAppWithoutWebhooksKeepsNoEvents(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	commit(t, s, a.ID, 2)
	check(t, s.SaveDynos(t.Context(), a.ID, []renga.Dyno{{ID: "d1", Name: "web.1"}}))
	for _, what := range []string{"events", "deliveries", "due"} {
		if n := p.raw(t).Exists(t.Context(), "renga:{"+string(a.ID)+"}:"+what).Val(); n != 0 {
			t.Errorf("there are %s", what)
		}
	}
}

func TestSecretsOfWebhooksAreSealed(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	w := hook(t, s, a.ID, renga.AppEvent)
	check(t, s.EditWebhooks(t.Context(), a.ID, func(hooks map[string]renga.Webhook) error {
		one := hooks[w.ID]
		one.URL, one.Authorization = "https://example.com/other", ""
		hooks[w.ID] = one
		return nil
	}))
	listed, err := s.Webhooks(t.Context(), a.ID)
	check(t, err)
	if len(listed) != 1 || listed[0].Secret != "" || listed[0].URL != "https://example.com/other" {
		t.Fatalf("listed %+v", listed)
	}
	job := oneDelivery(t, s, a.ID)
	if job.Webhook.Secret != w.Secret || job.Webhook.Authorization != "" || job.Event.Kind != renga.AppEvent {
		t.Errorf("the job is %+v with secret %q", job, string(job.Webhook.Secret))
	}
	wantNoSecret(t, p, "s3cret")
	if said := fmt.Sprintf("%+v %#v", job, job); strings.Contains(said, "s3cret") {
		t.Errorf("the secret prints: %s", said)
	}
}

// oneDelivery makes an event and gives its only delivery.
func oneDelivery(t *testing.T, s *store.Store, app renga.AppID) renga.DeliveryJob {
	t.Helper()
	_, err := s.UpdateApp(t.Context(), app, func(a *renga.App) error {
		a.Maintenance = !a.Maintenance
		return nil
	})
	check(t, err)
	due, err := s.DueDeliveries(t.Context(), app, time.Now())
	check(t, err)
	for hook, ids := range due {
		job, err := s.DeliveryJob(t.Context(), app, hook, ids[0])
		check(t, err)
		return job
	}
	t.Fatal("nothing is due")
	return renga.DeliveryJob{}
}

func TestADeliveryIsDueUntilThereIsNoNextAttempt(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	w := hook(t, s, a.ID, renga.AppEvent)
	d := oneDelivery(t, s, a.ID).Delivery
	at := time.Now().UTC().Truncate(time.Millisecond)
	d.Attempts, d.Status, d.NextAttempt = 1, renga.DeliveryRetrying, at.Add(time.Hour)
	d.Last = &renga.Attempt{ID: "a1", Code: 500, Began: at, Ended: at}
	check(t, s.SaveDelivery(t.Context(), a.ID, d))
	for later, n := range map[time.Duration]int{0: 0, 2 * time.Hour: 1} {
		due, err := s.DueDeliveries(t.Context(), a.ID, at.Add(later))
		check(t, err)
		if len(due[w.ID]) != n {
			t.Errorf("after %s due are %v", later, due)
		}
	}
	d.Status, d.NextAttempt = renga.DeliverySucceeded, time.Time{}
	check(t, s.SaveDelivery(t.Context(), a.ID, d))
	due, err := s.DueDeliveries(t.Context(), a.ID, at.Add(100*time.Hour))
	check(t, err)
	all, err := s.Deliveries(t.Context(), a.ID)
	check(t, err)
	if len(due) != 0 || len(all) != 1 || all[0].Last == nil || *all[0].Last != *d.Last ||
		all[0].Status != renga.DeliverySucceeded {
		t.Errorf("due %v, all %+v", due, all)
	}
}

func TestADeliveryWithoutItsWebhookIsGivenUp(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	w := hook(t, s, a.ID, renga.AppEvent)
	d := oneDelivery(t, s, a.ID).Delivery
	check(t, s.EditWebhooks(t.Context(), a.ID, func(hooks map[string]renga.Webhook) error {
		delete(hooks, w.ID)
		return nil
	}))
	_, err := s.DeliveryJob(t.Context(), a.ID, w.ID, d.ID)
	wantKind(t, err, renga.NotFound)
	due, err := s.DueDeliveries(t.Context(), a.ID, time.Now())
	check(t, err)
	if len(due) != 0 {
		t.Errorf("due are %v", due)
	}
}

func TestOldEventsAreTrimmedWithTheirDeliveries(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "haiku")
	hook(t, s, a.ID, renga.AppEvent)
	for range 5 {
		oneDelivery(t, s, a.ID)
	}
	check(t, s.TrimEvents(t.Context(), a.ID, time.Now().Add(-time.Hour), 2))
	deliveries, err := s.Deliveries(t.Context(), a.ID)
	check(t, err)
	due, err := s.DueDeliveries(t.Context(), a.ID, time.Now())
	check(t, err)
	if len(eventTexts(t, s, a.ID)) != 2 || len(deliveries) != 2 || len(due) != 1 {
		t.Errorf("left are %d deliveries, due %v", len(deliveries), due)
	}
	check(t, s.TrimEvents(t.Context(), a.ID, time.Now().Add(time.Hour), 10))
	if left := eventTexts(t, s, a.ID); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestTheLastEventOutlivesItsApp(t *testing.T) {
	s, p := newStore(t)
	a := createApp(t, s, "haiku")
	w := hook(t, s, a.ID, renga.AppEvent)
	d := oneDelivery(t, s, a.ID).Delivery
	check(t, s.RemoveApp(t.Context(), a.ID))
	job, err := s.DeliveryJob(t.Context(), a.ID, w.ID, d.ID)
	check(t, err)
	check(t, s.TrimEvents(t.Context(), a.ID, time.Now().Add(-time.Hour), 10))
	job.Delivery.NextAttempt = time.Time{}
	check(t, s.SaveDelivery(t.Context(), a.ID, job.Delivery))
	apps, err := s.AppsWithWebhooks(t.Context())
	check(t, err)
	keys, err := p.raw(t).Keys(t.Context(), "*"+string(a.ID)+"*").Result()
	check(t, err)
	if len(apps) != 0 || len(keys) != 0 {
		t.Errorf("left are %v and %v", apps, keys)
	}
}
