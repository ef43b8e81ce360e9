package renga

import (
	"log/slog"
	"slices"
	"time"
)

// Secret is a text that only its owner and its recipient may see. It prints as
// "[redacted]" and refuses to be marshalled by accident.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[redacted]" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON hides the secret: whoever may write it converts to a plain string
// first.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Webhook asks that an app's events be told to a URL.
type Webhook struct {
	ID string // a UUID
	// AddOn is set if it is told to the partner that provides that add-on of the app.
	AddOn   AddOnID
	URL     string
	Level   WebhookLevel
	Include []EventKind
	// Secret signs what is sent.
	Secret Secret
	// Authorization is the header of that name; empty for none.
	Authorization Secret
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// WebhookLevel is whether a failed delivery is tried again.
type WebhookLevel string

// The levels.
const (
	Notify WebhookLevel = "notify" // once
	Sync   WebhookLevel = "sync"   // until it is taken
)

// EventKind is what kind of thing an event happened to, in Heroku's words.
type EventKind string

// The kinds of events.
const (
	AddOnEvent        EventKind = "api:addon"
	AttachmentEvent   EventKind = "api:addon-attachment"
	AppEvent          EventKind = "api:app"
	BuildEvent        EventKind = "api:build"
	CollaboratorEvent EventKind = "api:collaborator"
	DomainEvent       EventKind = "api:domain"
	EndpointEvent     EventKind = "api:sni-endpoint"
	FormationEvent    EventKind = "api:formation"
	ReleaseEvent      EventKind = "api:release"
	DynoEvent         EventKind = "dyno"
)

// What happens to an app's content in the registry. Their receivers get the envelope
// of distribution's notifications.
const (
	PushEvent   EventKind = "registry:push"
	PullEvent   EventKind = "registry:pull"
	MountEvent  EventKind = "registry:mount"
	DeleteEvent EventKind = "registry:delete"
)

// RegistryKinds are those of the registry's content.
var RegistryKinds = []EventKind{PushEvent, PullEvent, MountEvent, DeleteEvent}

// DiskEvent is told when the data disk is low, full, or well again.
const DiskEvent EventKind = "platform:disk"

// PlatformKinds are those that webhooks of the whole platform may ask for.
var PlatformKinds = append([]EventKind{DiskEvent}, RegistryKinds...)

// PlatformWebhooks stands for an app where webhooks are asked for that are the
// platform's own: they are told what happens to the content of every app. No app has
// this id.
const PlatformWebhooks AppID = "registry-of-all-apps"

// EventKinds are all that a webhook may ask for. Some of them happen to nothing
// yet.
var EventKinds = []EventKind{
	AddOnEvent, AttachmentEvent, AppEvent, BuildEvent, CollaboratorEvent, DomainEvent, "api:dyno",
	FormationEvent, ReleaseEvent, EndpointEvent, DynoEvent, PushEvent, PullEvent, MountEvent, DeleteEvent,
}

// Wants tells whether the webhook asks for a kind of events. Heroku has two
// names for events of dynos.
func (w Webhook) Wants(k EventKind) bool {
	return slices.Contains(w.Include, k) || k == DynoEvent && slices.Contains(w.Include, "api:dyno")
}

// Concerns tells whether the webhook may be told of what happened to that add-on. A
// partner is told of its own, and not of what the app has from others; the app's
// people are told of all.
func (w Webhook) Concerns(id AddOnID) bool { return w.AddOn == "" || id == "" || w.AddOn == id }

// Event is something that happened to an app, with the state of its subject at
// that time.
type Event struct {
	ID     string // a UUID that sorts by time
	Kind   EventKind
	Action EventAction
	At     time.Time
	By     AccountID // who did it; empty for the platform itself
	App    App
	// Subject is what it happened to; Before is its state before, and empty if it
	// was created.
	Subject, Before Subject
}

// EventAction is what happened.
type EventAction string

// The actions.
const (
	Create  EventAction = "create"
	Update  EventAction = "update"
	Destroy EventAction = "destroy"
)

// Subject is one of the things that events happen to; the others are nil.
type Subject struct {
	App          *App
	Release      *ReleaseRecord // of releases and builds
	Dyno         *Dyno
	Process      *Process
	Collaborator *Collaborator
	Domain       *Domain
	Endpoint     *Endpoint
	AddOn        *AddOn      // without its secrets; of attachments, too
	Attachment   *Attachment // of AddOn
	Backup       *Backup     // of AddOn, which failed
	Content      *Content
	Disk         *DiskState
}

// Content is what was pushed, pulled, mounted or deleted, with the request that did it.
type Content struct {
	Repository string `json:"repository"`     // "<app>/<process type>"
	From       string `json:"from,omitempty"` // the repository that it was mounted from
	Tag        string `json:"tag,omitempty"`
	Digest     string `json:"digest,omitempty"` // empty if a tag alone was deleted
	MediaType  string `json:"media_type,omitempty"`
	Size       int64  `json:"size,omitempty"`       // in bytes
	Email      string `json:"email,omitempty"`      // of the account that did it
	RequestID  string `json:"request_id,omitempty"` // empty once it is not known any more, after a crash
	Addr       string `json:"addr,omitempty"`
	Host       string `json:"host,omitempty"`
	Method     string `json:"method,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
}

// ContentEvent is something that happened to content.
type ContentEvent struct {
	ID   string // a UUID; the same one may be posted twice
	Kind EventKind
	App  App
	At   time.Time
	By   AccountID
	Content
}

// Process is a process type with its scale.
type Process struct {
	Type  ProcessType
	Scale Scale
}

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID          string // a UUID that sorts by time
	Event       string
	Kind        EventKind
	Webhook     string
	Level       WebhookLevel
	Status      DeliveryStatus
	Attempts    int
	NextAttempt time.Time // zero when there will be none
	Last        *Attempt  // nil before the first
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// DeliveryStatus is how a delivery fares.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"  // not tried yet
	DeliveryRetrying  DeliveryStatus = "retrying" // to be tried again
	DeliveryFailed    DeliveryStatus = "failed"
	DeliverySucceeded DeliveryStatus = "succeeded"
)

// Attempt is one try of a delivery.
type Attempt struct {
	ID        string // a UUID
	Code      int    // the receiver's status; 0 when it gave none
	Error     string // why there was none: a word such as "timeout"
	Succeeded bool
	Began     time.Time
	Ended     time.Time
}

// DeliveryJob is a delivery with all that is needed to try it.
type DeliveryJob struct {
	Delivery Delivery
	Webhook  Webhook
	Event    Event
}
