package wiretest

import (
	"context"
	"maps"
	"slices"

	"renga"
)

const (
	Hooked    = "60000000-0000-4000-8000-000000000001"
	Happened  = "61000000-0000-4000-8000-000000000001"
	delivered = "62000000-0000-4000-8000-000000000001"
)

// FakeWebhooks is a webhook of hello's with one event and its delivery.
type FakeWebhooks struct {
	Hooks  map[string]renga.Webhook
	events []renga.Event
	sent   []renga.Delivery
}

func NewFakeWebhooks(w *FakeRooms) *FakeWebhooks {
	hook := renga.Webhook{
		ID: Hooked, URL: "https://example.com/hook", Level: renga.Sync, Include: []renga.EventKind{renga.AppEvent},
		Secret: "s3cret-" + Marker, Authorization: "Bearer " + Marker, CreatedAt: Born, UpdatedAt: Born,
	}
	app := w.Apps[Hello]
	changed := app
	changed.Maintenance = true
	return &FakeWebhooks{
		Hooks: map[string]renga.Webhook{Hooked: hook},
		events: []renga.Event{{
			ID: Happened, Kind: renga.AppEvent, Action: renga.Update, At: Born, By: Ada.ID, App: app,
			Subject: renga.Subject{App: &changed}, Before: renga.Subject{App: &app},
		}},
		sent: []renga.Delivery{{
			ID: delivered, Event: Happened, Kind: renga.AppEvent, Webhook: Hooked, Level: renga.Sync,
			Status:   renga.DeliveryRetrying,
			Attempts: 1, NextAttempt: Born, CreatedAt: Born, UpdatedAt: Born,
			Last: &renga.Attempt{ID: "63000000-0000-4000-8000-000000000001", Code: 503, Began: Born, Ended: Born},
		}},
	}
}

func (m *FakeWebhooks) Webhooks(context.Context, renga.AppID) ([]renga.Webhook, error) {
	var all []renga.Webhook
	for _, id := range slices.Sorted(maps.Keys(m.Hooks)) {
		hook := m.Hooks[id]
		hook.Secret, hook.Authorization = "", ""
		all = append(all, hook)
	}
	return all, nil
}

func (m *FakeWebhooks) EditWebhooks(_ context.Context, _ renga.AppID, edit func(map[string]renga.Webhook) error) error {
	return edit(m.Hooks)
}

func (m *FakeWebhooks) Events(context.Context, renga.AppID) ([]renga.Event, error) {
	return m.events, nil
}

func (m *FakeWebhooks) Deliveries(context.Context, renga.AppID) ([]renga.Delivery, error) {
	return m.sent, nil
}
