package wiretest

import (
	"renga"
)

// The ids of Hook and Event.
const (
	HookID  = "60000000-0000-4000-8000-000000000001"
	EventID = "61000000-0000-4000-8000-000000000001"

	PartnerHook     = "60000000-0000-4000-8000-000000000002"
	PartnerDelivery = "62000000-0000-4000-8000-000000000002"
)

// PartnersHook is that of the partner of hello's database.
var PartnersHook = renga.Webhook{
	ID: PartnerHook, AddOn: Database, URL: "https://partner.example/" + Marker, Level: renga.Sync,
	Include: []renga.EventKind{renga.AppEvent}, Secret: "s3cret-" + Marker, CreatedAt: Born, UpdatedAt: Born,
}

// Deliveries are Delivery, and one to the partner.
func Deliveries() []renga.Delivery {
	partners := Delivery
	partners.ID, partners.Webhook = PartnerDelivery, PartnerHook
	return []renga.Delivery{Delivery, partners}
}

// Hook is hello's webhook.
var Hook = renga.Webhook{
	ID: HookID, URL: "https://example.com/hook", Level: renga.Sync, Include: []renga.EventKind{renga.AppEvent},
	Secret: "s3cret-" + Marker, Authorization: "Bearer " + Marker, CreatedAt: Born, UpdatedAt: Born,
}

// Event says that maintenance of hello was switched on. The store does not have it,
// because it makes the ids of events itself.
func Event() renga.Event {
	before := NewSeed().Apps[Hello]
	after := before
	after.Maintenance = true
	return renga.Event{
		ID: EventID, Kind: renga.AppEvent, Action: renga.Update, At: Born, By: Ada.ID, App: before,
		Subject: renga.Subject{App: &after}, Before: renga.Subject{App: &before},
	}
}

// Delivery is that of Event to Hook, tried once. The store does not have it either.
var Delivery = renga.Delivery{
	ID: "62000000-0000-4000-8000-000000000001", Event: EventID, Kind: renga.AppEvent, Webhook: HookID,
	Level: renga.Sync, Status: renga.DeliveryRetrying, Attempts: 1, NextAttempt: Born, CreatedAt: Born, UpdatedAt: Born,
	Last: &renga.Attempt{ID: "63000000-0000-4000-8000-000000000001", Code: 503, Began: Born, Ended: Born},
}
