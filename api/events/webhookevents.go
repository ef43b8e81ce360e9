package events

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) webhookEventRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/webhook-events", wire.Looking, s.listWebhookEvents),
		wire.Get("/apps/{app}/webhook-events/{event}", wire.Looking, s.webhookEventInfo),
		wire.Get("/platform/webhook-events", wire.WholeToken, s.listWebhookEvents),
		wire.Get("/platform/webhook-events/{event}", wire.WholeToken, s.webhookEventInfo),
		wire.Get("/addons/{addon}/webhook-events", partners, s.listWebhookEvents),
		wire.Get("/addons/{addon}/webhook-events/{event}", partners, s.webhookEventInfo),
	}
}

// webhookEvent is an event as JSON. Heroku's schema has fewer properties of the
// payload than Heroku sends.
type webhookEvent struct {
	CreatedAt string         `json:"created_at"`
	ID        string         `json:"id"`
	Include   string         `json:"include"`
	Payload   map[string]any `json:"payload"`
	UpdatedAt string         `json:"updated_at"`
}

func (s *Server) showEvents(ctx context.Context, page []renga.Event) ([]webhookEvent, error) {
	var shown []webhookEvent
	for _, e := range page {
		if c := e.Subject.Content; c != nil {
			seen := *c
			seen.Addr = "" // which is for those who operate the app, and get the webhook
			e.Subject.Content = &seen
		}
		payload, err := s.Payload(ctx, e)
		if err != nil {
			return nil, err
		}
		shown = append(shown, webhookEvent{
			CreatedAt: wire.Stamp(e.At), ID: e.ID, Include: string(e.Kind), Payload: payload,
			UpdatedAt: wire.Stamp(e.At),
		})
	}
	return shown, nil
}

func (s *Server) listWebhookEvents(w http.ResponseWriter, r *http.Request) error {
	all, err := s.toldOf(r)
	if err != nil {
		return err
	}
	show := func(page []renga.Event) ([]webhookEvent, error) { return s.showEvents(r.Context(), page) }
	id := func(e renga.Event) string { return e.ID } // ids are in the order of time
	return wire.ListAs(w, r, all, show, wire.By("seq", id), wire.By("id", id))
}

func (s *Server) webhookEventInfo(w http.ResponseWriter, r *http.Request) error {
	all, err := s.toldOf(r)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["event"]
	i := slices.IndexFunc(all, func(e renga.Event) bool { return strings.EqualFold(e.ID, id) })
	if i < 0 {
		return wire.NotFound("webhook event")
	}
	shown, err := s.showEvents(r.Context(), all[i:i+1])
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, shown[0])
}

// payloadVersion is the version of the API whose JSON the payload has.
const payloadVersion = "application/vnd.heroku+json; version=3"

// Payload gives an event as receivers of webhooks get it, without what concerns its
// delivery.
func (s *Server) Payload(ctx context.Context, e renga.Event) (map[string]any, error) {
	if e.Subject.Content != nil {
		return objectOf(newContentEvent(e, *e.Subject.Content)), nil
	}
	known := s.People()
	by := e.By
	if by == "" {
		by = renga.Platform
	}
	actor, err := known.Find(ctx, by)
	if err != nil {
		return nil, err
	}
	data, err := s.subject(ctx, e, e.Subject, known)
	if err != nil {
		return nil, err
	}
	before, err := s.subject(ctx, e, e.Before, known)
	if err != nil {
		return nil, err
	}
	at := wire.Stamp(e.At)
	return map[string]any{
		"action": e.Action, "actor": actor, "created_at": at, "data": data, "id": e.ID,
		"previous_data": differing(before, data),
		"published_at":  at, "resource": resourceOf(e.Kind), "sequence": nil, "updated_at": at,
		"version": payloadVersion,
	}, nil
}

// resourceOf is what an event's kind is without where it is from.
func resourceOf(k renga.EventKind) string {
	return strings.TrimPrefix(strings.TrimPrefix(string(k), "api:"), "platform:")
}

// subject gives what an event happened to, as the API shows it.
func (s *Server) subject(
	ctx context.Context, e renga.Event, sub renga.Subject, known *wire.People,
) (map[string]any, error) {
	var shown any
	var err error
	switch {
	case sub.Disk != nil:
		shown = sub.Disk
	case sub.App != nil:
		shown, err = s.parts.Shown.App(ctx, *sub.App)
	case sub.Release != nil:
		shown, err = s.showReleaseOf(ctx, e, *sub.Release, known)
	case sub.Dyno != nil:
		shown = s.parts.Shown.Dyno(e.App, *sub.Dyno)
	case sub.Process != nil:
		shown = s.parts.Shown.Process(e.App, sub.Process.Type, sub.Process.Scale)
	case sub.Collaborator != nil:
		shown, err = s.parts.Shown.Collaborator(ctx, e.App, *sub.Collaborator, known)
	case sub.Domain != nil:
		shown, err = s.parts.Shown.Domain(ctx, e.App, *sub.Domain)
	case sub.Endpoint != nil:
		shown, err = s.parts.Shown.Endpoint(ctx, e.App, *sub.Endpoint)
	case sub.Attachment != nil:
		shown, err = s.parts.Shown.Attachment(ctx, *sub.AddOn, *sub.Attachment)
	case sub.Backup != nil:
		shown, err = s.parts.Shown.Failed(ctx, *sub.AddOn, *sub.Backup)
	case sub.AddOn != nil:
		shown, err = s.parts.Shown.AddOn(ctx, *sub.AddOn)
	}
	if err != nil {
		return nil, err
	}
	return objectOf(shown), nil
}

// showReleaseOf gives the release of an event, or the build that made it.
func (s *Server) showReleaseOf(
	ctx context.Context, e renga.Event, rec renga.ReleaseRecord, known *wire.People,
) (any, error) {
	by, err := known.Find(ctx, rec.By)
	if err != nil {
		return nil, err
	}
	if e.Kind == renga.BuildEvent {
		return newPushedBuild(e.App, rec, by), nil
	}
	return s.parts.Shown.Release(e.App, rec, by), nil
}

// objectOf gives a struct as a JSON object, and an empty one for nil.
func objectOf(shown any) map[string]any {
	object := map[string]any{}
	if shown == nil {
		return object
	}
	text, err := json.Marshal(shown)
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", shown, err)) // a struct that is no JSON object is a bug
	}
	return object
}

// differing gives the properties of before that have another value after.
func differing(before, after map[string]any) map[string]any {
	old := maps.Clone(before)
	maps.DeleteFunc(old, func(name string, value any) bool { return reflect.DeepEqual(value, after[name]) })
	return old
}

// pushedBuild is a push of an image as a build: the image was built elsewhere, and
// the push was the last step.
type pushedBuild struct {
	App             wire.OnlyID  `json:"app"`
	Buildpacks      []string     `json:"buildpacks"`
	CreatedAt       string       `json:"created_at"`
	ID              string       `json:"id"`
	OutputStreamURL *string      `json:"output_stream_url"`
	Release         wire.OnlyID  `json:"release"`
	Slug            *wire.OnlyID `json:"slug"`
	SourceBlob      buildSource  `json:"source_blob"`
	Stack           string       `json:"stack"`
	Status          string       `json:"status"`
	UpdatedAt       string       `json:"updated_at"`
	User            wire.Person  `json:"user"`
}

type buildSource struct {
	Checksum           *string `json:"checksum"`
	URL                string  `json:"url"`
	Version            *string `json:"version"`
	VersionDescription *string `json:"version_description"`
}

func newPushedBuild(a renga.App, rec renga.ReleaseRecord, by wire.Person) pushedBuild {
	return pushedBuild{
		App: wire.OnlyID{ID: string(a.ID)}, Buildpacks: []string{}, CreatedAt: wire.Stamp(rec.CreatedAt),
		ID: wire.DerivedID(
			a.ID, "build:"+renga.VersionName(rec.Version),
		), Release: wire.OnlyID{ID: wire.ReleaseID(a.ID, rec.Version)},
		SourceBlob: buildSource{VersionDescription: &rec.Description}, Stack: wire.StackName,
		Status:    string(renga.Succeeded),
		UpdatedAt: wire.Stamp(rec.CreatedAt), User: by,
	}
}
