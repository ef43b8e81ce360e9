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

func pushed(a renga.App, kind renga.EventKind, tag string) renga.ContentEvent {
	return renga.ContentEvent{
		ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, App: a, At: time.Now(), By: "ada",
		Content: renga.Content{Repository: a.Name + "/web", Tag: tag, Digest: digestOf(1)},
	}
}

// tagsTold are the tags that a queue's events are about.
func tagsTold(t *testing.T, s *store.Store, queue renga.AppID) string {
	t.Helper()
	events, err := s.Events(t.Context(), queue)
	check(t, err)
	var tags []string
	for _, e := range events {
		tags = append(tags, e.App.Name+":"+e.Subject.Content.Tag)
	}
	return strings.Join(tags, " ")
}

// Each app's webhooks are told of its own content, the platform's of everybody's.
func TestContentEventsReachTheirAppAndThePlatform(t *testing.T) {
	s, _ := newStore(t)
	mine, other := createApp(t, s, "mine"), createApp(t, s, "other")
	hook(t, s, mine.ID, renga.PushEvent)
	hook(t, s, other.ID, renga.ReleaseEvent)
	hook(t, s, renga.PlatformWebhooks, renga.PushEvent, renga.DeleteEvent)
	for _, e := range []renga.ContentEvent{
		pushed(mine, renga.PushEvent, "a"), pushed(other, renga.PushEvent, "b"), pushed(mine, renga.DeleteEvent, "c"),
		pushed(mine, renga.PullEvent, "d"), pushed(renga.App{}, renga.PushEvent, "e"),
	} {
		check(t, s.PostContentEvent(t.Context(), e))
	}
	for queue, want := range map[renga.AppID]string{
		mine.ID: "mine:a", other.ID: "", renga.PlatformWebhooks: "mine:a other:b mine:c :e",
	} {
		if got := tagsTold(t, s, queue); got != want {
			t.Errorf("%s is told of %q, want %q", queue, got, want)
		}
	}
	// The platform's queue belongs to no app, and stays when all is delivered.
	deliveries, err := s.Deliveries(t.Context(), renga.PlatformWebhooks)
	check(t, err)
	for _, d := range deliveries {
		d.Status, d.NextAttempt = renga.DeliverySucceeded, time.Time{}
		check(t, s.SaveDelivery(t.Context(), renga.PlatformWebhooks, d))
	}
	check(t, s.TrimEvents(t.Context(), renga.PlatformWebhooks, time.Now().Add(-time.Hour), 100))
	if got := tagsTold(t, s, renga.PlatformWebhooks); got != "mine:a other:b mine:c :e" {
		t.Errorf("after all is delivered there is %q", got)
	}
	queues, err := s.AppsWithWebhooks(t.Context())
	check(t, err)
	if !slices.Contains(queues, renga.PlatformWebhooks) {
		t.Error("the platform's webhooks are delivered no more")
	}
}

// However much happens, so many events are kept, and they are the newest.
func TestContentEventsAreBounded(t *testing.T) {
	s, _ := newStore(t)
	a := createApp(t, s, "busy")
	hook(t, s, a.ID, renga.PushEvent)
	const most = 2000
	for i := range most + 10 {
		check(t, s.PostContentEvent(t.Context(), pushed(a, renga.PushEvent, fmt.Sprint(i))))
	}
	events, err := s.Events(t.Context(), a.ID)
	check(t, err)
	if n := len(events); n > most || n < most/2 || events[n-1].Subject.Content.Tag != fmt.Sprint(most+9) {
		t.Errorf("%d events are kept, the newest of %q", n, events[n-1].Subject.Content.Tag)
	}
}

// What the disk has become is told to the platform's webhooks that want it, and to no
// app's.
func TestDiskEventsReachThePlatform(t *testing.T) {
	s, _ := newStore(t)
	was, is := renga.DiskState{Level: renga.DiskOK, Free: 9, Total: 10}, renga.DiskState{Level: renga.DiskLow, Free: 1, Total: 10}
	app := createApp(t, s, "mine")
	hook(t, s, app.ID, renga.PushEvent)
	hook(t, s, renga.PlatformWebhooks, renga.PushEvent)
	check(t, s.PostDiskEvent(t.Context(), was, is))
	if events, err := s.Events(t.Context(), renga.PlatformWebhooks); err != nil || len(events) != 0 {
		t.Errorf("nobody asked, and there is %+v, %v", events, err)
	}
	hook(t, s, renga.PlatformWebhooks, renga.DiskEvent)
	check(t, s.PostDiskEvent(t.Context(), was, is))
	events, err := s.Events(t.Context(), renga.PlatformWebhooks)
	check(t, err)
	if len(events) != 1 || events[0].Kind != renga.DiskEvent || *events[0].Subject.Disk != is || *events[0].Before.Disk != was {
		t.Errorf("there is %+v", events)
	}
	deliveries, err := s.Deliveries(t.Context(), renga.PlatformWebhooks)
	check(t, err)
	if len(deliveries) != 1 {
		t.Errorf("it is delivered as %+v", deliveries)
	}
	if events, err := s.Events(t.Context(), app.ID); err != nil || len(events) != 0 {
		t.Errorf("the app is told of %+v, %v", events, err)
	}
}
